import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import { waitFor } from "@rollcast/testkit/wait";
import { recordKey } from "@rollcast/shared/subjects";
import { expect, test } from "vitest";
import { TOMBSTONE_MS } from "../src/sources/maintenance.ts";
import { changeObject, createObject, each, removeObject } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { startWatcherHarness, changesOf } from "./harness.ts";
import type { WatcherHarness } from "./harness.ts";

/** A harness with objects in its namespace. */
async function setUp(count: number): Promise<WatcherHarness> {
  const harness = await startWatcherHarness();
  await each(count, (i) => createObject(harness.api, harness.namespace, i));
  return harness;
}

const keyOf = ({ namespace }: WatcherHarness, i: number) =>
  recordKey(CLUSTER, { kind: i % 2 === 1 ? "Secret" : "ConfigMap", namespace, name: `s${i}` });

const writes = async ({ connection }: WatcherHarness) =>
  (await connection.jsm.streams.info("KV_sources")).state.last_seq;

/** Changes a record behind the watchers' back. */
async function tamper(harness: WatcherHarness, key: string, over: object): Promise<void> {
  const entry = await harness.kv.get(key);
  if (entry === undefined) throw new Error(`${key} has no record`);
  await harness.kv.update(key, { ...entry.value, ...over }, entry.revision);
}

test("a start writes only what changed", async () => {
  await using harness = await setUp(1_000);
  const { api, namespace } = harness;
  {
    await using _first = await harness.startInProcess();
  }
  const before = await writes(harness);
  {
    await using _second = await harness.startInProcess();
  }
  expect(await writes(harness)).toBe(before);

  await each(3, (i) => changeObject(api, namespace, i, "1"));
  await using _third = await harness.startInProcess();
  await expectConsistent(harness);
  // Each as pending, then as published.
  expect(await writes(harness)).toBe(before + 6);
});

test("a record that a dead replica left pending is published by a live one", async () => {
  await using harness = await setUp(4);
  await using _watcher = await harness.startInProcess();
  const told0 = {
    change: "changed",
    reason: "DataChanged",
    state: "pending",
    changedAt: Date.now(),
  };

  await tamper(harness, keyOf(harness, 0), told0);

  await waitFor(async () => (await harness.events()).length === 1);
  await waitFor(async () => (await harness.kv.get(keyOf(harness, 0)))?.value.state === "published");
  expect(changesOf(await harness.events(), "s0")).toEqual(["changed DataChanged"]);
});

test("a record that stays different from the cluster is corrected", async () => {
  await using harness = await setUp(4);
  await using _watcher = await harness.startInProcess();
  const entry = await harness.kv.get(keyOf(harness, 1));

  // As left by a replica that wrote an older state and died.
  await tamper(harness, keyOf(harness, 1), { digests: {}, resourceVersion: "1" });

  await expectConsistent(harness);
  expect((await harness.kv.get(keyOf(harness, 1)))?.value.digests).toEqual(entry?.value.digests);
});

test("a tombstone is kept for 30 days", async () => {
  await using harness = await setUp(4);
  const { api, namespace } = harness;
  {
    await using _watcher = await harness.startInProcess();
    await removeObject(api, namespace, 0);
    await removeObject(api, namespace, 1);
    await waitFor(async () => (await harness.events()).length === 2);
    await expectConsistent(harness);
  }
  const day = 24 * 3_600_000;
  await tamper(harness, keyOf(harness, 0), { deletedAt: Date.now() - TOMBSTONE_MS - day });
  await tamper(harness, keyOf(harness, 1), { deletedAt: Date.now() - TOMBSTONE_MS + day });

  await using _watcher = await harness.startInProcess();
  await waitFor(async () => (await harness.kv.get(keyOf(harness, 0))) === undefined);

  expect((await harness.kv.get(keyOf(harness, 1)))?.value.change).toBe("deleted");
});

test("a record of a newer version of Rollcast is skipped, and the rest is processed; it is counted until it can be read", async () => {
  await using harness = await setUp(4);
  const { api, namespace } = harness;
  const before = await harness.kv.get(keyOf(harness, 0));
  await harness.connection.js.publish(
    `$KV.sources.${keyOf(harness, 0)}`,
    JSON.stringify({ v: 2, future: true }),
  );
  await using watcher = await harness.startInProcess();

  await each(4, (i) => changeObject(api, namespace, i, "1"));
  await waitFor(async () => (await harness.events()).length === 3);

  expect(await watcher.metrics.text()).toMatch(/^rollcast_sources_refused 1$/m);
  expect(changesOf(await harness.events(), "s0")).toEqual([]);

  await harness.connection.js.publish(
    `$KV.sources.${keyOf(harness, 0)}`,
    JSON.stringify(before?.value),
  );
  await changeObject(api, namespace, 0, "2");
  await waitFor(async () => (await harness.events()).length === 4);
  await waitFor(async () => /^rollcast_sources_refused 0$/m.test(await watcher.metrics.text()));
});
