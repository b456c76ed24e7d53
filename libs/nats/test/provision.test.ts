import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { startHarness } from "@rollcast/testkit/harness/harness";
import { startNats } from "@rollcast/testkit/nats";
import { expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "@rollcast/shared/errors";
import { connectNats } from "../src/connect.ts";
import type { Nats } from "../src/connect.ts";
import { openKv } from "../src/kv.ts";
import { provision } from "../src/provision.ts";
import { BUCKETS, DEAD_LETTER_STREAM, EVENT_STREAM } from "../src/streams.ts";
import { publish } from "../src/publish.ts";
import { changeOf, silent, startBus } from "./setup.ts";

const DAY_NS = 24 * 3_600 * 1_000_000_000;
const never = new AbortController().signal;

async function streams(nats: Nats) {
  const listed = [];
  for await (const { config, state } of nats.jsm.streams.list()) listed.push({ config, state });
  return listed.toSorted((a, b) => a.config.name.localeCompare(b.config.name));
}

async function faultOf(provisioning: Promise<void>): Promise<string> {
  const err: unknown = await provisioning.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(err).toBeInstanceOf(ConfigError);
  return (err as ConfigError).message;
}

function startEmpty() {
  const connect = (to: { url: string }) => connectNats({ ...to, name: "a", logger: silent });
  return startHarness({ nats: {}, client: { connect } }, async (harness) => ({
    server: harness.nats,
    nats: harness.connection,
    other: await harness.connect(),
  }));
}

test("two clients at once make everything, as documented", async () => {
  await using bus = await startEmpty();

  await Promise.all([provision(bus.nats, 1), provision(bus.other, 1), provision(bus.nats, 1)]);

  const made = await streams(bus.nats);
  expect(made.map(({ config }) => config.name)).toEqual([
    "KV_control",
    "KV_notify",
    "KV_sources",
    "KV_workloads",
    EVENT_STREAM,
    DEAD_LETTER_STREAM,
  ]);
  expect(made[4]?.config).toMatchObject({
    subjects: ["rollcast.v1.>"],
    storage: "file",
    retention: "limits",
    max_age: 7 * DAY_NS,
    max_bytes: 2 * 1024 ** 3,
    max_msg_size: 65_536,
    duplicate_window: 300_000_000_000,
    deny_delete: true,
    deny_purge: true,
    allow_direct: true,
  });
  expect(made[5]?.config).toMatchObject({
    subjects: [
      "rollcast.dlq.v1.>",
      "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ROLLCAST.*",
      "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.ROLLCAST.*",
    ],
    max_age: 30 * DAY_NS,
    max_bytes: 512 * 1024 ** 2,
  });
  for (const { config } of made.slice(0, 4)) {
    expect(config).toMatchObject({
      storage: "file",
      max_msgs_per_subject: 1,
      allow_direct: false,
      allow_msg_ttl: true,
      allow_rollup_hdrs: true,
    });
  }
});

test("a second time changes nothing and loses nothing", async () => {
  await using bus = await startBus();
  const { subject, event } = changeOf("web");
  await publish(bus.nats, subject, event, never);
  const before = await streams(bus.nats);

  await provision(bus.nats, 1);

  const after = await streams(bus.nats);
  expect(after.map(({ config }) => config)).toEqual(before.map(({ config }) => config));
  expect(after[4]?.state.messages).toBe(1);
});

test("the stream of events refuses to be purged or to have a message deleted", async () => {
  await using bus = await startBus();
  const { subject, event } = changeOf("web");
  const { seq } = await publish(bus.nats, subject, event, never);

  await expect(bus.nats.jsm.streams.purge(EVENT_STREAM)).rejects.toThrow(/purge/);
  await expect(bus.nats.jsm.streams.deleteMessage(EVENT_STREAM, seq)).rejects.toThrow(/delete/);
});

test("what the operator may own is left, and what is missing is added", async () => {
  await using bus = await startEmpty();
  const { jsm } = bus.nats;
  await jsm.streams.add({
    name: EVENT_STREAM,
    subjects: ["rollcast.v1.prod.>", "also.here"],
    max_age: DAY_NS,
    max_bytes: 1_000_000,
    deny_delete: true,
    deny_purge: true,
  });

  await provision(bus.nats, 1);

  const { config } = await jsm.streams.info(EVENT_STREAM);
  expect(config).toMatchObject({ max_age: DAY_NS, max_bytes: 1_000_000 });
  expect(config.subjects).toEqual(["also.here", "rollcast.v1.>"]);
});

test("a stream that could only be mended by losing its data is refused, with what differs", async () => {
  await using bus = await startEmpty();
  const { jsm } = bus.nats;
  await jsm.streams.add({
    name: EVENT_STREAM,
    subjects: ["rollcast.v1.>"],
    storage: "memory",
    retention: "workqueue",
  });

  const fault = await faultOf(provision(bus.nats, 1));

  expect(fault).toBe(
    "stream ROLLCAST exists with another retention, storage, deny_delete, deny_purge: changing it would lose what it holds; remove or rename it",
  );
  expect((await jsm.streams.info(EVENT_STREAM)).config.storage).toBe("memory");
});

test.each([
  ["a history", { max_msgs_per_subject: 5 }],
  ["direct reads", { max_msgs_per_subject: 1, allow_direct: true }],
])("a bucket with %s is refused by name", async (_, config) => {
  await using bus = await startEmpty();
  await bus.nats.jsm.streams.add({
    name: "KV_workloads",
    subjects: ["$KV.workloads.>"],
    ...config,
  });

  expect(await faultOf(provision(bus.nats, 1))).toContain("bucket workloads exists with another");
});

test("a bucket whose markers could not expire is mended: its records can be removed", async () => {
  await using bus = await startEmpty();
  await bus.nats.jsm.streams.add({
    name: "KV_notify",
    subjects: ["$KV.notify.>"],
    max_msgs_per_subject: 1,
    allow_rollup_hdrs: true,
    allow_direct: false,
  });

  await provision(bus.nats, 1);

  const kv = await openKv(bus.nats, "notify", z.object({ a: z.number() }));
  const revision = await kv.create("prod.x", { a: 1 });
  expect(await kv.remove("prod.x", revision ?? 0)).toBe(true);
});

test("an account without JetStream is told what to do", async () => {
  const config = `accounts { PLAIN { users: [ { user: ops, password: pw } ] } }`;
  await using server = await startNats({ config });
  const url = `nats://ops:pw@127.0.0.1:${server.port}`;
  await using nats = await connectNats({ url, name: "test", logger: silent });

  expect(await faultOf(provision(nats, 1))).toBe(
    "NATS has no JetStream: enable it on the server and for the account",
  );
});

test("an old server is refused, with its version and the one that is needed", async () => {
  // Only its greeting: a real one of that age is nowhere to be had.
  const old = createServer((socket) => {
    socket.write('INFO {"version":"2.9.10","proto":1,"headers":true,"max_payload":1048576}\r\n');
    socket.on("data", (bytes) => {
      if (bytes.includes("PING")) socket.write("PONG\r\n");
    });
  }).listen(0, "127.0.0.1");
  await once(old, "listening");
  const { port } = old.address() as AddressInfo;
  {
    await using nats = await connectNats({
      url: `nats://127.0.0.1:${port}`,
      name: "test",
      logger: silent,
    });

    expect(await faultOf(provision(nats, 1))).toBe(
      "nats-server is 2.9.10: Rollcast needs 2.12 or newer",
    );
  }
  old.close();
});

test("an outage is not taken for an empty server", async () => {
  await using server = await startNats();
  await using nats = await connectNats({
    url: server.url,
    name: "test",
    logger: silent,
    timeoutMs: 300,
  });
  await server.kill();

  const err: unknown = await provision(nats, 1).catch((thrown: unknown) => thrown);

  expect(err).toBeInstanceOf(Error);
  expect(err).not.toBeInstanceOf(ConfigError);
});

test("the buckets are those that are documented", () => {
  expect(BUCKETS).toEqual(["sources", "workloads", "control", "notify"]);
});
