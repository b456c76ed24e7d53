import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { inspectNats } from "@rollcast/nats/inspect";
import { provision } from "@rollcast/nats/provision";
import { BUCKETS } from "@rollcast/nats/streams";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Harness } from "@rollcast/testkit/harness/harness-types";
import { NATS_USERS, usersFile } from "@rollcast/testkit/harness/shipped-users";
import type { NatsUser } from "@rollcast/testkit/harness/shipped-users";
import { startSecuredServers } from "./stack.ts";

const logger = createLogger("test", "silent");
const stack = new AsyncDisposableStack();
const connections = new Map<NatsUser | "test", Nats>();

async function connectAs({ nats, users }: Harness, user: NatsUser | "test"): Promise<Nats> {
  const nkey = { file: users.seedFile(user) };
  return connectNats({ url: nats.url, name: user, logger, nkey });
}

let bus: Harness;

beforeAll(async () => {
  bus = stack.use(await startSecuredServers());
  for (const user of [...NATS_USERS, "test"] as const) {
    connections.set(user, stack.use(await connectAs(bus, user)));
  }
  await provision(as("provision"), 1);
});
afterAll(() => stack.disposeAsync());

function as(user: NatsUser | "test"): Nats {
  const nats = connections.get(user);
  if (nats === undefined) throw new Error(`${user} is not connected`);
  return nats;
}

/** Whether the server refuses what `act` does, by its own words. */
async function isRefused({ nc }: Nats, act: () => void): Promise<boolean> {
  const status = nc.status();
  const refusals: unknown[] = [];
  const listen = async () => {
    for await (const event of status) if (event.type === "error") refusals.push(event.error);
  };
  const listening = listen();
  act();
  // The server answers in order: after the pong nothing more comes.
  await nc.flush();
  (status as unknown as { stop(): void }).stop();
  await listening;
  for (const refusal of refusals) expect(String(refusal)).toMatch(/Permissions Violation/);
  return refusals.length > 0;
}

const SERVICES = ["watcher", "restarter", "notifier", "provision"] as const;

/** Subject, and who of those in the account may publish on it. */
const PUBLISH: readonly [string, readonly (typeof SERVICES)[number][]][] = [
  ["rollcast.v1.test.source.changed.configmap.shop.cfg", ["watcher"]],
  ["rollcast.v1.test.rollout.started.deployment.shop.web", ["restarter"]],
  ["rollcast.v1.test.notification.sent.hook", ["notifier"]],
  ["rollcast.v1.other.source.changed.configmap.shop.cfg", []],
  ["rollcast.v1.other.rollout.started.deployment.shop.web", []],
  ["rollcast.dlq.v1.restarter-test.malformed", ["restarter"]],
  ["rollcast.dlq.v1.notifier-test.malformed", ["notifier"]],
  ["rollcast.dlq.v1.notifier.refused", ["notifier"]],
  ["$KV.sources.test.configmap.shop.cfg", ["watcher"]],
  ["$KV.sources.other.configmap.shop.cfg", []],
  ["$KV.workloads.test.deployment.shop.web", ["restarter"]],
  ["$KV.workloads.other.deployment.shop.web", []],
  ["$KV.notify.test.group", ["notifier"]],
  ["$JS.API.INFO", []],
  ["$JS.API.STREAM.NAMES", []],
  ["$JS.API.STREAM.INFO.ROLLCAST", ["watcher", "restarter", "notifier", "provision"]],
  ["$JS.API.STREAM.INFO.KV_workloads", ["restarter", "provision"]],
  ["$KV.control.test.freeze.cluster", ["restarter"]],
  ["$KV.control.other.freeze.cluster", []],
  ["rollcast.v1.test.queue.paused.default", ["restarter"]],
  ["rollcast.v1.test.freeze.frozen.cluster", ["restarter"]],
  ["$JS.API.STREAM.CREATE.ROLLCAST", ["provision"]],
  ["$JS.API.STREAM.CREATE.MINE", []],
  ["$JS.API.STREAM.UPDATE.KV_notify", ["provision"]],
  ["$JS.API.STREAM.DELETE.ROLLCAST", []],
  ["$JS.API.STREAM.PURGE.KV_sources", []],
  ["$JS.API.STREAM.MSG.DELETE.ROLLCAST_DLQ", ["notifier"]],
  ["$JS.API.STREAM.MSG.DELETE.ROLLCAST", []],
  ["$JS.API.STREAM.MSG.GET.KV_sources", ["watcher", "restarter"]],
  ["$JS.API.STREAM.MSG.GET.KV_workloads", ["restarter"]],
  ["$JS.API.STREAM.MSG.GET.KV_notify", ["notifier"]],
  ["$JS.API.STREAM.MSG.GET.ROLLCAST", ["restarter", "notifier"]],
  ["$JS.API.STREAM.MSG.GET.ROLLCAST_DLQ", ["notifier"]],
  ["$JS.API.DIRECT.GET.ROLLCAST", []],
  ["$JS.API.DIRECT.GET.ROLLCAST.rollcast.v1.test.rollout.failed.deployment.shop.web", []],
  ["$JS.API.DIRECT.GET.ROLLCAST.rollcast.v1.test.notification.sent.hook", []],
  ["$JS.API.DIRECT.GET.ROLLCAST_DLQ", []],
  ["$JS.API.CONSUMER.CREATE.ROLLCAST.restarter-test.rollcast.v1.test.source.>", ["restarter"]],
  ["$JS.API.CONSUMER.CREATE.ROLLCAST.restarter-test.rollcast.v1.>", []],
  ["$JS.API.CONSUMER.CREATE.ROLLCAST.notifier-test.rollcast.v1.test.rollout.>", ["notifier"]],
  ["$JS.API.CONSUMER.CREATE.KV_workloads.x.$KV.workloads.test.>", ["restarter"]],
  ["$JS.API.CONSUMER.CREATE.KV_workloads.x.$KV.workloads.other.>", []],
  ["$JS.API.CONSUMER.CREATE.KV_workloads", []],
  ["$JS.API.CONSUMER.MSG.NEXT.ROLLCAST.restarter-test", ["restarter"]],
  ["$JS.API.CONSUMER.MSG.NEXT.ROLLCAST.notifier-test", ["notifier"]],
  ["$JS.API.CONSUMER.DELETE.ROLLCAST.restarter-test", []],
  ["$JS.ACK.ROLLCAST.restarter-test.1.1.1.1.0", ["restarter"]],
  ["$JS.ACK.ROLLCAST.notifier-test.1.1.1.1.0", ["notifier"]],
  ["$JS.ACK._.hash.ROLLCAST.notifier-test.1.1.1.1.0", ["notifier"]],
  ["_INBOX_watcher.reply", []],
  ["_INBOX_restarter.reply", []],
];

/** What may be listened to: each its own answers, and nothing of the others. */
const SUBSCRIBE: readonly [string, readonly NatsUser[]][] = [
  ...NATS_USERS.map((user): [string, NatsUser[]] => [`_INBOX_${user}.>`, [user]]),
  ["rollcast.v1.test.>", ["subscriber", "operator"]],
  ["rollcast.v1.test.rollout.failed.>", ["subscriber", "operator"]],
  // No message comes: only the events of its own cluster are imported.
  ["rollcast.v1.other.>", ["operator"]],
  ["rollcast.dlq.v1.>", []],
  ["$KV.>", []],
  ["$JS.API.>", []],
  ["_INBOX.>", []],
  ["$SYS.>", []],
  [">", []],
];

describe("publish", () => {
  test.each(PUBLISH)("%s: only %j", async (subject, allowed) => {
    const permitted = [];
    for (const user of SERVICES) {
      const nats = as(user);
      // With a reply, as a request has one: without it the server does not answer the API.
      const reply = `_INBOX_${user}.probe`;
      const refused = await isRefused(nats, () => nats.nc.publish(subject, "?", { reply }));
      if (!refused) permitted.push(user);
    }
    expect(permitted).toEqual(allowed);
  });
});

describe("subscribe", () => {
  test.each(SUBSCRIBE)("%s: only %j", async (subject, allowed) => {
    const permitted = [];
    for (const user of NATS_USERS) {
      const nats = as(user);
      const refused = await isRefused(nats, () => {
        nats.nc.subscribe(subject, { callback: () => undefined });
      });
      if (!refused) permitted.push(user);
    }
    expect(permitted).toEqual(allowed);
  });
});

describe("the subscriber", () => {
  test("sees events as they happen, and takes them from a stream of its own", async () => {
    const { nc, js, jsm } = as("subscriber");
    const subjects: string[] = [];
    nc.subscribe("rollcast.v1.test.>", {
      callback: (_err, msg) => {
        subjects.push(msg.subject);
      },
    });
    await jsm.streams.add({ name: "MINE", subjects: ["rollcast.v1.test.>"], max_bytes: 1 << 20 });
    await nc.flush();

    const subject = "rollcast.v1.test.rollout.failed.deployment.shop.web";
    await as("restarter").js.publish(subject, "{}");
    await waitFor(() => subjects.includes(subject), { message: "the event" });
    const kept = async () => (await jsm.streams.info("MINE")).state.messages;
    await waitFor(async () => (await kept()) > 0, { message: "the event to be kept" });
    expect(await kept()).toBe(1);

    // As docs/events.md says.
    await jsm.consumers.add("MINE", { durable_name: "mine", ack_policy: "explicit" });
    const message = await (await js.consumers.get("MINE", "mine")).next();
    expect(message?.subject).toBe(subject);
    expect(await message?.ackAck()).toBe(true);
  });

  test("has no history but that of its own streams", async () => {
    const { jsm } = as("subscriber");
    await expect(jsm.streams.info("ROLLCAST")).rejects.toThrow(/not found/);
    await expect(
      jsm.consumers.add("ROLLCAST", { durable_name: "mine", ack_policy: "explicit" }),
    ).rejects.toThrow(/not found/);
  });

  test("has nothing of Rollcast's streams and buckets, and cannot have the server write into them", async () => {
    const { nc, jsm } = as("subscriber");
    const streams = [];
    for await (const { config } of jsm.streams.list()) streams.push(config.name);
    expect(streams).not.toContain("ROLLCAST");
    expect(streams.filter((name) => name.startsWith("KV_"))).toEqual([]);

    // Answers go where the asker says, whoever may publish there: the reason for an account of its
    // own.
    const reply = "$KV.workloads.test.deployment.shop.forged";
    nc.publish("$JS.API.INFO", "", { reply });
    nc.publish("$JS.API.STREAM.MSG.GET.MINE", JSON.stringify({ seq: 1 }), { reply });
    // The API answers one user's requests in order.
    await jsm.getAccountInfo();
    const refused = await isRefused(as("subscriber"), () => nc.publish("rollcast.v1.test.x", ""));
    expect(refused).toBe(true);
    const { state } = await as("test").jsm.streams.info("KV_workloads", { subjects_filter: ">" });
    expect(Object.keys(state.subjects ?? {})).not.toContain(reply);
  });
});

const STREAMS = ["ROLLCAST", "ROLLCAST_DLQ", ...BUCKETS.map((bucket) => `KV_${bucket}`)];
/** All that an operator may ask. */
const ASKED_BY_OPERATORS = [
  ...STREAMS.map((stream) => `$JS.API.STREAM.INFO.${stream}`),
  "$JS.API.STREAM.MSG.GET.ROLLCAST",
];
/** What could be done to streams, or read of them, besides. */
const API = ["CREATE", "UPDATE", "DELETE", "PURGE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "INFO"]
  .flatMap((verb) => STREAMS.map((stream) => `$JS.API.STREAM.${verb}.${stream}`))
  .concat(STREAMS.map((stream) => `$JS.API.DIRECT.GET.${stream}`))
  .concat(STREAMS.map((stream) => `$JS.API.CONSUMER.CREATE.${stream}`))
  .concat(STREAMS.map((stream) => `$JS.API.CONSUMER.CREATE.${stream}.mine`))
  .concat(["$JS.API.CONSUMER.NAMES.ROLLCAST", "$JS.API.CONSUMER.LIST.ROLLCAST"]);

describe("the operator", () => {
  test("may publish what reading needs, and nothing else", async () => {
    const { nc } = as("operator");
    const refused = async (subject: string) =>
      isRefused(as("operator"), () => nc.publish(subject, "", { reply: "_INBOX_operator.probe" }));
    const subjects = new Set([...PUBLISH.map(([subject]) => subject), ...API, "anything"]);
    const allowed = [];
    for (const subject of subjects) if (!(await refused(subject))) allowed.push(subject);
    expect(allowed.toSorted()).toEqual(ASKED_BY_OPERATORS.toSorted());
  });

  test("reads events, and learns of each stream", async () => {
    const { jsm } = as("operator");
    const subject = "rollcast.v1.test.rollout.failed.deployment.shop.read";
    const { seq } = await as("restarter").js.publish(subject, "{}");
    expect(await jsm.streams.getMessage("ROLLCAST", { seq })).toMatchObject({ subject, seq });
    for (const stream of STREAMS) {
      expect((await jsm.streams.info(stream)).config.name).toBe(stream);
    }
    expect(await inspectNats(as("operator"))).toMatchObject({
      missing: [],
      forbidden: [],
      faults: [],
    });
  });

  test("hears of the events of its cluster only, and of nobody's answers", async () => {
    const { nc } = as("operator");
    const heard: string[] = [];
    const subscription = nc.subscribe("rollcast.v1.>", {
      callback: (_err, { subject }) => void heard.push(subject),
    });
    await nc.flush();
    const subjects = ["other", "test"].map((cluster) => `rollcast.v1.${cluster}.source.x`);
    for (const subject of subjects) await as("test").js.publish(subject, "{}");
    await waitFor(() => heard.includes(subjects[1] ?? ""), { message: "the event" });
    subscription.unsubscribe();
    expect(heard).toEqual([subjects[1]]);
  });

  test("cannot have the server write an answer into a bucket, or as an event", async () => {
    const { nc, jsm } = as("operator");
    const before = await lastSequences();
    const replies = [
      "$KV.workloads.test.deployment.shop.forged",
      "$KV.sources.test.configmap.shop.forged",
      "rollcast.v1.test.rollout.failed.deployment.shop.forged",
      "rollcast.dlq.v1.restarter-test.forged",
      "_INBOX_restarter.forged",
    ];
    const delivered: string[] = [];
    as("subscriber").nc.subscribe("rollcast.v1.test.>", {
      callback: (_err, { subject }) => void delivered.push(subject),
    });
    await as("subscriber").nc.flush();
    const own: string[] = [];
    const subscription = nc.subscribe("rollcast.v1.>", {
      callback: (_err, { subject }) => void own.push(subject),
    });
    const trace = (await jsm.streams.getMessage("ROLLCAST", { seq: 1 }))?.header;
    if (trace === undefined) throw new Error("no headers");
    for (const subject of ASKED_BY_OPERATORS) {
      const body = subject.includes("MSG.GET") ? JSON.stringify({ seq: 1 }) : "";
      for (const reply of replies) {
        trace.set("Nats-Trace-Dest", reply);
        nc.publish(subject, body, { reply });
        nc.publish(subject, body, { reply: "_INBOX_operator.probe", headers: trace });
      }
    }
    // The answers come to this account, in the order of the requests.
    await waitFor(() => own.length >= ASKED_BY_OPERATORS.length, { message: "the answers" });
    subscription.unsubscribe();
    await jsm.streams.info("ROLLCAST");

    const marker = "rollcast.v1.test.source.marker";
    await as("test").js.publish(marker, "{}");
    await waitFor(() => delivered.includes(marker), { message: "the event after the answers" });
    expect(delivered).toEqual([marker]);
    expect(await lastSequences()).toEqual({ ...before, ROLLCAST: (before.ROLLCAST ?? 0) + 1 });
  });
});

async function lastSequences(): Promise<Record<string, number>> {
  const { jsm } = as("test");
  const sequences = STREAMS.map(
    async (stream) => [stream, (await jsm.streams.info(stream)).state.last_seq] as const,
  );
  return Object.fromEntries(await Promise.all(sequences));
}

test("nobody gets in without a key, or with one of another shape", async () => {
  const { nc } = as("test");
  const url = `nats://${nc.getServer()}`;
  await expect(connectNats({ url, name: "nobody", logger })).rejects.toThrow(/refuses/);
  await expect(connectAs(bus, "all-in-one")).rejects.toThrow(/refuses/);
});

describe("where the services are one process", () => {
  /** Its users' part of the file, by name; what is not users is the rest. */
  async function read(shape: "services" | "all-in-one") {
    const text = (await usersFile("nats-users.conf", shape)).replaceAll(/^#.*\n/gm, "");
    const user = /^ {6}\{\n {8}nkey: \$ROLLCAST_NKEY_(\w+)\n.*?^ {6}\}\n/gms;
    const users = new Map([...text.matchAll(user)].map(([all, name = ""]) => [name, all]));
    return { users, rest: text.replaceAll(user, "") };
  }
  const publishes = (part = "") =>
    [...(/publish: \[(.*?)\]/s.exec(part)?.[1] ?? "").matchAll(/"(.+?)"/g)].map(
      ([, subject = ""]) => subject,
    );

  test("its user may publish what the three may, and the others are as they are", async () => {
    const three = await read("services");
    const single = await read("all-in-one");

    const own = single.users.get("ALL_IN_ONE");
    const wanted = ["WATCHER", "RESTARTER", "NOTIFIER"].flatMap((name) =>
      publishes(three.users.get(name)),
    );
    expect(publishes(own).toSorted()).toEqual([...new Set(wanted)].toSorted());
    expect(own).toContain('subscribe: ["_INBOX_all-in-one.>"]');
    expect([...single.users.keys()]).toEqual(["ALL_IN_ONE", "PROVISION", "SUBSCRIBER", "OPERATOR"]);
    for (const name of ["PROVISION", "SUBSCRIBER", "OPERATOR"]) {
      expect(single.users.get(name), name).toBe(three.users.get(name));
    }
    expect(single.rest).toBe(three.rest);
  });

  test.each(["watcher", "restarter", "notifier"] as const)("%s is nobody", async (user) => {
    await using single = await startSecuredServers({ shape: "all-in-one" });
    await expect(connectAs(single, user)).rejects.toThrow(/refuses/);
  });
});
