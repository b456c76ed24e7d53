import { getEventListeners } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { z } from "zod";
import { openTransformedKvCache } from "../src/kv-cache.ts";
import type { KvCache } from "../src/kv-cache.ts";
import { openKv } from "../src/kv.ts";
import { provision } from "../src/provision.ts";
import { recordingLogger, startBus } from "./setup.ts";

const Count = z.object({ v: z.literal(1), n: z.number() });
type Count = z.infer<typeof Count>;
const count = (n: number): Count => ({ v: 1, n });

type Started = { relistMs?: number; storeDir?: string };

/** A bucket, a writer with a connection of its own, and `open` for caches of it. */
async function startBucket({ relistMs, storeDir }: Started = {}) {
  const { logger, lines } = recordingLogger();
  const bus = await startBus({ logger, storeDir });
  const other = await bus.connect();
  const stop = new AbortController();
  bus.signal.addEventListener("abort", () => stop.abort());
  const open = async (filter = "prod.>") => {
    const { cache, kv } = await openTransformedKvCache({
      kv: await openKv(bus.nats, "sources", Count),
      filter,
      transform: ({ n }) => n,
      signal: stop.signal,
      relistMs,
    });
    const changes: [string, number | undefined, number | undefined][] = [];
    cache.listen((...change) => changes.push(change));
    return { cache, kv, changes };
  };
  const writer = await openKv(other, "sources", Count);
  return Object.assign(bus, { other, open, stop, lines, writer });
}

const held = (cache: KvCache<number>) =>
  Object.fromEntries([...cache.list()].map(({ key, value }) => [key, value]));

type Bucket = Awaited<ReturnType<typeof startBucket>>;

async function temporaryFolder(undo: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "rollcast-kv-cache-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Kills the server, and starts it again after `during`, until both clients are back. */
async function killServer({ server, nats, other }: Bucket, during: () => Promise<void>) {
  await server.kill();
  await waitFor(() => nats.fault() !== undefined && other.fault() !== undefined);
  await during();
  await server.restart();
  await waitFor(() => nats.fault() === undefined && other.fault() === undefined);
}

const consumersOf = async ({ other }: Bucket) =>
  (await other.jsm.streams.info("KV_sources")).state.consumer_count;

test("a cache holds what is present, then every write and removal, on one subscription", async () => {
  await using bucket = await startBucket();
  const { writer } = bucket;
  const x = (await writer.create("prod.x", count(1))) ?? 0;
  const gone = (await writer.create("prod.gone", count(1))) ?? 0;
  await writer.remove("prod.gone", gone);
  await writer.create("test.x", count(9));

  const { cache, changes } = await bucket.open();
  expect(held(cache)).toEqual({ "prod.x": 1 });
  expect(cache.size()).toBe(1);
  const updated = (await writer.update("prod.x", count(2), x)) ?? 0;
  await waitFor(() => cache.get("prod.x")?.value === 2);
  expect(cache.get("prod.x")).toMatchObject({ key: "prod.x", value: 2, revision: updated });
  await writer.create("prod.y", count(3));
  await writer.remove("prod.x", updated);
  await waitFor(() => cache.get("prod.x") === undefined && cache.get("prod.y") !== undefined);

  expect(changes).toEqual([
    ["prod.x", 2, 1],
    ["prod.y", 3, undefined],
    ["prod.x", undefined, 2],
  ]);
  expect(await consumersOf(bucket)).toBe(1);
  bucket.stop.abort();
  await waitFor(async () => (await consumersOf(bucket)) === 0);
  expect(getEventListeners(bucket.stop.signal, "abort")).toEqual([]);
});

test("what is written and read by its own bucket is in the cache at once", async () => {
  await using bucket = await startBucket();
  const { cache, kv, changes } = await bucket.open();
  for (let n = 0; n < 50; n++) {
    const key = `prod.k${n}`;
    const created = (await kv.create(key, count(1))) ?? 0;
    expect(cache.get(key)).toMatchObject({ value: 1, revision: created });
    const updated = (await kv.update(key, count(2), created)) ?? 0;
    expect(cache.get(key)).toMatchObject({ value: 2, revision: updated });
    expect(await kv.remove(key, updated)).toBe(true);
    expect(cache.get(key)).toBeUndefined();
  }
  await bucket.writer.create("prod.end", count(1));
  await kv.get("prod.end");
  expect(cache.get("prod.end")?.value).toBe(1);

  await waitFor(async () => (await kv.get("prod.end")) !== undefined);
  // No older write came back by the subscription.
  expect(changes).toHaveLength(151);
  expect(await kv.create("prod.end", count(2))).toBeUndefined();
  expect(cache.get("prod.end")?.value).toBe(1);
});

test("a cache that is opened while its records are written misses none", async () => {
  await using bucket = await startBucket();
  const keys = Array.from({ length: 1_500 }, (_, i) => `prod.k${i}`);
  const revisions = await Promise.all(keys.map((key) => bucket.writer.create(key, count(0))));
  const writing = Promise.all(
    keys.map(async (key, i) => {
      const updated = (await bucket.writer.update(key, count(1), revisions[i] ?? 0)) ?? 0;
      if (i % 3 === 0) await bucket.writer.remove(key, updated);
    }),
  );

  const { cache } = await bucket.open();
  expect(cache.size()).toBeGreaterThanOrEqual(1_000);
  await writing;

  await waitFor(
    () => cache.size() === 1_000 && [...cache.list()].every(({ value }) => value === 1),
  );
});

test("a cache opens though all it waits for is purged meanwhile", async () => {
  await using bucket = await startBucket();
  const keys = Array.from({ length: 1_200 }, (_, i) => `prod.k${i}`);
  await Promise.all(keys.map((key) => bucket.writer.create(key, count(0))));

  const opening = bucket.open();
  await bucket.other.jsm.streams.purge("KV_sources");

  const { cache } = await opening;
  expect(cache.size()).toBeLessThanOrEqual(1_200);
});

test("after the server was killed the cache has what was written and removed meanwhile", async () => {
  await using bucket = await startBucket();
  const { writer } = bucket;
  const x = (await writer.create("prod.x", count(1))) ?? 0;
  const y = (await writer.create("prod.y", count(1))) ?? 0;
  const { cache } = await bucket.open();
  for (let round = 1; round <= 3; round++) {
    await killServer(bucket, async () => expect(cache.get("prod.y")?.value).toBe(1));
    await writer.create(`prod.r${round}`, count(round));
    await waitFor(() => cache.get(`prod.r${round}`)?.value === round);
  }
  await writer.update("prod.x", count(2), x);
  await writer.remove("prod.y", y);

  await waitFor(() => cache.get("prod.y") === undefined);
  expect(held(cache)).toEqual({ "prod.x": 2, "prod.r1": 1, "prod.r2": 2, "prod.r3": 3 });
});

test("a server that lost everything empties the cache, and its first revisions are taken", async () => {
  await using undo = new AsyncDisposableStack();
  const dir = await temporaryFolder(undo);
  await using bucket = await startBucket({ storeDir: dir });
  for (let n = 0; n < 20; n++) await bucket.writer.create(`prod.k${n}`, count(n));
  const { cache, changes } = await bucket.open();

  await killServer(bucket, () => rm(join(dir, "jetstream"), { recursive: true }));
  await provision(bucket.other, 1);
  const revision = await bucket.writer.create("prod.k3", count(33));

  expect(revision).toBe(1);
  await waitFor(() => cache.get("prod.k3")?.value === 33 && cache.size() === 1);
  await bucket.writer.create("prod.next", count(1));
  await waitFor(() => cache.get("prod.next") !== undefined);
  expect(changes).toContainEqual(["prod.k7", undefined, 7]);
});

test("a bucket that is deleted and made again while the connection stands is listed anew", async () => {
  await using bucket = await startBucket();
  for (let n = 0; n < 20; n++) await bucket.writer.create(`prod.k${n}`, count(n));
  const { cache } = await bucket.open();

  await bucket.other.jsm.streams.delete("KV_sources");
  await provision(bucket.other, 1);
  await bucket.writer.create("prod.k3", count(33));

  await waitFor(() => cache.get("prod.k3")?.value === 33 && cache.size() === 1);
  expect(bucket.nats.fault()).toBeUndefined();
});

test("a consumer that an operator deletes is made again, and nothing is missed", async () => {
  await using bucket = await startBucket();
  const { cache } = await bucket.open();
  const [consumer] = await bucket.other.jsm.consumers.list("KV_sources").next();

  await bucket.other.jsm.consumers.delete("KV_sources", consumer?.name ?? "");
  await bucket.writer.create("prod.x", count(1));

  await waitFor(() => cache.get("prod.x")?.value === 1);
  expect(await consumersOf(bucket)).toBe(1);
});

test("a bucket that is emptied without a trace is noticed by the next list", async () => {
  await using bucket = await startBucket({ relistMs: 300 });
  for (let n = 0; n < 20; n++) await bucket.writer.create(`prod.k${n}`, count(n));
  const { cache, changes } = await bucket.open();

  await bucket.other.jsm.streams.purge("KV_sources");

  await waitFor(() => cache.size() === 0);
  expect(changes).toContainEqual(["prod.k7", undefined, 7]);
  expect(bucket.lines.filter(({ level }) => level === "warn")).toEqual([]);
});

test("a server restored from an older backup: what it has counts, and later writes are followed", async () => {
  await using undo = new AsyncDisposableStack();
  const dir = await temporaryFolder(undo);
  await using bucket = await startBucket({ storeDir: dir });
  const { writer } = bucket;
  const [store, backup] = [join(dir, "jetstream"), join(dir, "backup")];
  const x = (await writer.create("prod.x", count(1))) ?? 0;
  const y = (await writer.create("prod.y", count(1))) ?? 0;
  await killServer(bucket, () => cp(store, backup, { recursive: true }));
  const { cache, changes } = await bucket.open();
  await writer.update("prod.x", count(2), x);
  await writer.remove("prod.y", y);
  for (let n = 0; n < 20; n++) await writer.create(`prod.lost${n}`, count(n));
  await waitFor(() => cache.size() === 21);

  await killServer(bucket, async () => {
    await rm(store, { recursive: true });
    await cp(backup, store, { recursive: true });
  });

  await waitFor(() => cache.get("prod.x")?.value === 1 && cache.size() === 2);
  expect(held(cache)).toEqual({ "prod.x": 1, "prod.y": 1 });
  expect(changes).toContainEqual(["prod.lost7", undefined, 7]);
  const next = (await writer.update("prod.x", count(3), x)) ?? 0;
  expect(next).toBeLessThan(20);
  await waitFor(() => cache.get("prod.x")?.value === 3);
});

test("a server that hangs for seconds and goes on: nothing is missed", async () => {
  await using bucket = await startBucket();
  const { cache } = await bucket.open();
  bucket.server.freeze();
  const writing = bucket.writer.create("prod.x", count(1));
  await new Promise((resolve) => void setTimeout(resolve, 3_500));
  bucket.server.thaw();
  const revision = await writing;

  await waitFor(() => cache.get("prod.x")?.value === 1);
  expect(cache.get("prod.x")?.revision).toBe(revision);
});

test("a slow listener is not overrun: the cache has every record in the end", async () => {
  await using bucket = await startBucket();
  const { cache } = await bucket.open();
  let calls = 0;
  cache.listen(() => {
    const until = performance.now() + 0.5;
    while (performance.now() < until) calls += 0;
    calls += 1;
  });
  const keys = Array.from({ length: 200 }, (_, i) => `prod.k${i}`);
  const revisions = await Promise.all(keys.map((key) => bucket.writer.create(key, count(0))));
  const rounds = 15;
  const writing = keys.map(async (key, i) => {
    let revision = revisions[i] ?? 0;
    for (let n = 1; n <= rounds; n++) {
      revision = (await bucket.writer.update(key, count(n), revision)) ?? 0;
    }
  });
  await Promise.all(writing);

  await waitFor(() => [...cache.list()].every(({ value }) => value === rounds));
  expect(cache.size()).toBe(200);
  expect(calls).toBeGreaterThanOrEqual(200);
  expect(bucket.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("a record of a newer version is not held, and held again when it can be read", async () => {
  await using bucket = await startBucket();
  const newer = await openKv(bucket.other, "sources", z.object({ v: z.literal(2) }));
  const x = (await bucket.writer.create("prod.x", count(1))) ?? 0;
  const { cache } = await bucket.open();
  const upgraded = (await newer.update("prod.x", { v: 2 }, x)) ?? 0;
  await waitFor(() => cache.get("prod.x") === undefined);

  await bucket.writer.update("prod.x", count(3), upgraded);

  await waitFor(() => cache.get("prod.x")?.value === 3);
  expect(bucket.lines).toContainEqual(
    expect.objectContaining({ msg: "skipping unreadable record", key: "prod.x" }),
  );
});

test("a cache that cannot open ends with its signal's reason", async () => {
  const kv = { listAndWatch: () => undefined } as never;
  const stop = new AbortController();
  const opening = openTransformedKvCache({
    kv,
    filter: ">",
    transform: Number,
    signal: stop.signal,
  });
  stop.abort(new Error("stopped"));

  await expect(opening).rejects.toThrow("stopped");
  await expect(
    openTransformedKvCache({ kv, filter: ">", transform: Number, signal: stop.signal }),
  ).rejects.toThrow("stopped");
});
