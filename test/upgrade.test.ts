import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Nats } from "@rollcast/nats/connect";
import { provision } from "@rollcast/nats/provision";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { generationOf, setKey, startStack, waitSettled } from "./stack.ts";
import type { Stack } from "./stack.ts";

/**
 * What a version kept in NATS: bucket, key and value of each record, and the events of the stream.
 */
type State = {
  records: { bucket: string; key: string; value: Record<string, unknown> }[];
  events: { subject: string; value: Record<string, unknown> }[];
};

/** How many notifications version 1 had sent. */
const SENT_BEFORE = 1;
const FIXTURE = join(repositoryRoot(), "test", "fixtures", "state-v1", "state.json");
const ISO_TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;
const EPOCH_MS = /\b1[5-9]\d{11}\b/g;

/**
 * The state as if its newest time were now: else what it holds grows too old to be delivered, and
 * the test fails from a day on.
 */
function asOfNow(text: string): State {
  const times = [...text.matchAll(ISO_TIME)].map(([time]) => Date.parse(time));
  const numbers = [...text.matchAll(EPOCH_MS)].map(([time]) => Number(time));
  const past = Date.now() - Math.max(...times, ...numbers);
  const moved = text
    .replaceAll(ISO_TIME, (time) => new Date(Date.parse(time) + past).toISOString())
    .replaceAll(EPOCH_MS, (time) => String(Number(time) + past));
  return JSON.parse(moved) as State;
}

async function put(nats: Nats, bucket: string, key: string, value: object): Promise<void> {
  await nats.js.publish(`$KV.${bucket}.${key}`, JSON.stringify(value));
}

async function stored(nats: Nats, bucket: string, key: string): Promise<Record<string, unknown>> {
  const query = { last_by_subj: `$KV.${bucket}.${key}` };
  const message = await nats.jsm.streams.getMessage(`KV_${bucket}`, query);
  return (message?.json() ?? {}) as Record<string, unknown>;
}

function unread(stack: Stack): string[] {
  return stack
    .logs()
    .filter((line) => /unreadable|malformed|invalid job/i.test(JSON.stringify(line)))
    .map((line) => JSON.stringify(line));
}

async function deploy({ api, namespace }: Stack, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const source = `${name}-cfg`;
    await api.create(paths.configMap(namespace), configMap(namespace, source, { a: "0" }));
    const uses = [{ as: "envFrom", configMap: source }] as const;
    await api.create(paths.deployment(namespace), deployment(namespace, name, { uses }));
  }
  for (const name of names) await waitRolledOut(api, namespace, name);
}

/** The durable consumers of version 1, which have everything still to read. */
const DURABLES = [
  { durable_name: "restarter-test", filter_subject: "rollcast.v1.test.source.>" },
  { durable_name: "notifier-test", filter_subject: "rollcast.v1.test.rollout.>" },
];

async function unhandled({ jsm }: Nats): Promise<number> {
  const infos = await Promise.all(
    DURABLES.map(({ durable_name }) => jsm.consumers.info("ROLLCAST", durable_name)),
  );
  return infos.reduce((sum, info) => sum + info.num_pending + info.num_ack_pending, 0);
}

async function startAll(stack: Stack): Promise<void> {
  for (const name of ["watcher", "restarter", "notifier"] as const) await stack.start(name);
}

async function stopAll(stack: Stack): Promise<void> {
  await Promise.all(stack.services.map((service) => service.kill()));
}

test("what version 1 kept is read by every service, and no part of it is refused", async () => {
  const cluster = { controllers: false };
  await using stack = await startStack({ services: [], cluster, config: { scope: {} } });
  const state = asOfNow(await readFile(FIXTURE, "utf8"));
  await using nats = await stack.connect();
  await provision(nats, 1);
  for (const { bucket, key, value } of state.records) await put(nats, bucket, key, value);
  for (const { subject, value } of state.events) {
    await nats.js.publish(subject, JSON.stringify(value));
  }
  for (const durable of DURABLES) {
    await nats.jsm.consumers.add("ROLLCAST", { ...durable, ack_policy: "explicit" });
  }
  expect(await unhandled(nats)).toBe(state.events.length - SENT_BEFORE);

  await startAll(stack);
  // What waited for its next try is sent.
  await stack.waitEvent("sent", "hook", SENT_BEFORE + 1);
  await waitFor(async () => (await unhandled(nats)) === 0, {
    message: "every event to be handled",
  });

  expect(unread(stack)).toEqual([]);
  expect((await nats.jsm.streams.info("ROLLCAST_DLQ")).state.messages).toBe(0);
});

test("records of a newer version are left as they are, each with an error that names it, and the others work", async () => {
  await using stack = await startStack({ services: [] });
  await deploy(stack, ["web", "api", "job"]);
  await startAll(stack);
  for (const name of ["web", "api", "job"]) await waitSettled(stack, name);
  await stopAll(stack);
  await using nats = await stack.connect();
  const newer = [
    ["workloads", `test.deployment.${stack.namespace}.web`],
    ["sources", `test.configmap.${stack.namespace}.job-cfg`],
  ] as const;
  for (const [bucket, key] of newer) {
    const value = { ...(await stored(nats, bucket, key)), v: 2, novelty: ["of", "tomorrow"] };
    await put(nats, bucket, key, value);
  }

  await startAll(stack);
  for (const name of ["web", "job", "api"]) await setKey(stack, `${name}-cfg`, "a", "1");
  await stack.waitEvent("succeeded", "api");

  for (const [bucket, key] of newer) {
    await waitFor(() => unread(stack).some((line) => line.includes(key)), { message: key });
    expect(await stored(nats, bucket, key)).toMatchObject({ v: 2, novelty: ["of", "tomorrow"] });
  }
  for (const name of ["web", "job"]) expect(await generationOf(stack, name), name).toBe(1);
});

test("an event of a newer version goes to the dead letters with its reason", async () => {
  await using stack = await startStack({ services: ["watcher", "restarter"] });
  await deploy(stack, ["web"]);
  await waitSettled(stack, "web");
  await setKey(stack, "web-cfg", "a", "1");
  const event = await stack.waitEvent("changed", "web-cfg");
  await using nats = await stack.connect();
  const subject = `rollcast.v1.test.source.changed.configmap.${stack.namespace}.web-cfg`;
  const newer = { ...event, id: "tomorrow", type: "dev.rollcast.source.changed.v2" };
  await nats.js.publish(subject, JSON.stringify(newer));

  const letter = await waitFor(
    async () => {
      const query = { last_by_subj: "rollcast.dlq.v1.>" };
      return (await nats.jsm.streams.getMessage("ROLLCAST_DLQ", query)) ?? undefined;
    },
    { message: "the dead letter" },
  );
  expect(letter.header.get("Rollcast-Reason")).toBe("Malformed");
  expect(letter.header.get("Rollcast-Message")).toContain("type");
});

test("NATS that lost everything is brought back by the markers: nothing rolls but what changed meanwhile", async () => {
  await using stack = await startStack({ services: [] });
  const names = ["web", "api", "db"];
  await deploy(stack, names);
  await startAll(stack);
  for (const name of names) {
    await waitSettled(stack, name);
    await setKey(stack, `${name}-cfg`, "a", "1");
  }
  for (const name of names) await stack.waitEvent("succeeded", name);

  await stopAll(stack);
  await stack.nats.restart({ empty: true });
  await stack.redis.restart({ empty: true });
  await setKey(stack, "db-cfg", "a", "2");
  await startAll(stack);
  await stack.waitEvent("succeeded", "db");
  for (const name of names) await waitSettled(stack, name);

  expect(await generationOf(stack, "db")).toBe(3);
  for (const name of ["web", "api"]) expect(await generationOf(stack, name), name).toBe(2);
  await setKey(stack, "web-cfg", "a", "2");
  await stack.waitEvent("succeeded", "web");
  expect(await generationOf(stack, "web")).toBe(3);
});

test("a NATS that comes back empty is filled by the services that run, and a restarter that starts then finds what it needs", async () => {
  await using stack = await startStack({ services: [] });
  const names = ["web", "api"];
  await deploy(stack, names);
  await startAll(stack);
  for (const name of names) await waitSettled(stack, name);
  await setKey(stack, "web-cfg", "a", "1");
  await stack.waitEvent("succeeded", "web");

  await stack.nats.restart({ empty: true });
  await using nats = await stack.connect();
  await provision(nats, 1);
  for (const name of names) {
    const key = `test.configmap.${stack.namespace}.${name}-cfg`;
    const isRecorded = async () => (await stored(nats, "sources", key)).change === "none";
    await waitFor(isRecorded, { message: `the record of ${name}-cfg`, timeout: 60_000 });
  }
  await stack.services[1]?.kill("SIGKILL");
  await stack.start("restarter");
  for (const name of names) await waitSettled(stack, name);
  for (const name of names) await setKey(stack, `${name}-cfg`, "a", "2");
  for (const name of names) await stack.waitEvent("succeeded", name);

  expect(await generationOf(stack, "web")).toBe(3);
  expect(await generationOf(stack, "api")).toBe(2);
});
