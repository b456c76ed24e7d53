import { createNamespace } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { recordKey } from "@rollcast/shared/subjects";
import { expect, test } from "vitest";
import { TOMBSTONE_MS } from "../src/sources/maintenance.ts";
import { changeObject, createObject, each, removeObject } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { CLUSTER, startHarness, startInProcess, changesOf } from "./harness.ts";
import type { Harness } from "./harness.ts";

const cluster = useCluster();
const { api } = cluster;

async function setUp(count: number) {
  const stack = new AsyncDisposableStack();
  const { name: namespace } = stack.use(await createNamespace(api, "state"));
  await each(count, (i) => createObject(api, namespace, i));
  const harness = stack.use(await startHarness(cluster.dir));
  const start = () => startInProcess({ harness, cluster, scope: { namespaces: [namespace] } });
  const key = (i: number) =>
    recordKey(CLUSTER, { kind: i % 2 === 1 ? "Secret" : "ConfigMap", namespace, name: `s${i}` });
  return { namespace, harness, start, key, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const writes = async ({ nats }: Harness) =>
  (await nats.jsm.streams.info("KV_sources")).state.last_seq;

/** Changes a record behind the watchers' back. */
async function tamper(harness: Harness, key: string, over: object): Promise<void> {
  const entry = await harness.kv.get(key);
  if (entry === undefined) throw new Error(`${key} has no record`);
  await harness.kv.update(key, { ...entry.value, ...over }, entry.revision);
}

test("a start writes only what changed", async () => {
  await using t = await setUp(1_000);
  const { namespace, harness } = t;
  {
    await using _first = await t.start();
  }
  const before = await writes(harness);
  {
    await using _second = await t.start();
  }
  expect(await writes(harness)).toBe(before);

  await each(3, (i) => changeObject(api, namespace, i, "1"));
  await using _third = await t.start();
  await expectConsistent(harness, api, namespace);
  // Each as pending, then as published.
  expect(await writes(harness)).toBe(before + 6);
});

test("a record that a dead replica left pending is published by a live one", async () => {
  await using t = await setUp(4);
  const { harness, key } = t;
  await using _watcher = await t.start();
  const told0 = {
    change: "changed",
    reason: "DataChanged",
    state: "pending",
    changedAt: Date.now(),
  };

  await tamper(harness, key(0), told0);

  await waitFor(async () => (await harness.events()).length === 1);
  await waitFor(async () => (await harness.kv.get(key(0)))?.value.state === "published");
  expect(changesOf(await harness.events(), "s0")).toEqual(["changed DataChanged"]);
});

test("a record that stays different from the cluster is corrected", async () => {
  await using t = await setUp(4);
  const { harness, key, namespace } = t;
  await using _watcher = await t.start();
  const entry = await harness.kv.get(key(1));

  // As left by a replica that wrote an older state and died.
  await tamper(harness, key(1), { digests: {}, resourceVersion: "1" });

  await expectConsistent(harness, api, namespace);
  expect((await harness.kv.get(key(1)))?.value.digests).toEqual(entry?.value.digests);
});

test("a tombstone is kept for 30 days", async () => {
  await using t = await setUp(4);
  const { harness, key, namespace } = t;
  {
    await using _watcher = await t.start();
    await removeObject(api, namespace, 0);
    await removeObject(api, namespace, 1);
    await waitFor(async () => (await harness.events()).length === 2);
    await expectConsistent(harness, api, namespace);
  }
  const day = 24 * 3_600_000;
  await tamper(harness, key(0), { deletedAt: Date.now() - TOMBSTONE_MS - day });
  await tamper(harness, key(1), { deletedAt: Date.now() - TOMBSTONE_MS + day });

  await using _watcher = await t.start();
  await waitFor(async () => (await harness.kv.get(key(0))) === undefined);

  expect((await harness.kv.get(key(1)))?.value.change).toBe("deleted");
});

test("a record of a newer version of Rollcast is skipped, and the rest is processed", async () => {
  await using t = await setUp(4);
  const { harness, key, namespace } = t;
  await harness.nats.js.publish(`$KV.sources.${key(0)}`, JSON.stringify({ v: 2, future: true }));
  await using watcher = await t.start();

  await each(4, (i) => changeObject(api, namespace, i, "1"));
  await waitFor(async () => (await harness.events()).length === 3);

  expect(await watcher.metrics.text()).toMatch(/^rollcast_source_refused_total [1-9]/m);
  expect(changesOf(await harness.events(), "s0")).toEqual([]);
});
