import { getEventListeners } from "node:events";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { z } from "zod";
import { TerminalError } from "@rollcast/shared/errors";
import { openKv, readNewest } from "../src/kv.ts";
import type { Kv } from "../src/kv.ts";
import { recordingLogger, startBus } from "./setup.ts";

const Count = z.object({ v: z.literal(1), n: z.number() });
type Count = z.infer<typeof Count>;
const count = (n: number): Count => ({ v: 1, n });

async function startTwo() {
  const { logger, lines } = recordingLogger();
  const bus = await startBus({ logger });
  const other = await bus.connect();
  const a = await openKv(bus.nats, "sources", Count);
  const b = await openKv(other, "sources", Count);
  return Object.assign(bus, { other, lines, a, b });
}

async function all(kv: Kv<Count>, filter?: string) {
  const entries: [string, number][] = [];
  for await (const { key, value } of kv.snapshot(filter)) entries.push([key, value.n]);
  return entries;
}

/** What a watch has reported. */
function watching(kv: Kv<Count>, signal: AbortSignal, filter?: string) {
  const calls: (string | [string, number | undefined])[] = [];
  kv.listAndWatch({
    filter,
    signal,
    onStart: () => calls.push("start"),
    onEntry: (key, value) => calls.push([key, value?.n]),
    onSynced: () => calls.push("synced"),
  });
  return calls;
}

test("what was written last is told with the time of the server", async () => {
  await using kv = await startTwo();
  const newest = () => readNewest(kv.nats, "sources", { filter: "prod.*.*.*", schema: Count });
  expect(await newest()).toBeUndefined();
  const began = Date.now();
  await kv.a.create("prod.kind.shop.a", count(1));
  const revision = await kv.a.create("prod.kind.shop.b", count(2));
  await kv.a.create("prod.installation", count(3));
  await kv.a.create("other.kind.shop.a", count(4));
  const { value, writtenAt } = (await newest()) ?? {};
  expect(value).toEqual(count(2));
  expect(writtenAt).toBeGreaterThanOrEqual(began - 1);
  expect(writtenAt).toBeLessThanOrEqual(Date.now() + 1);
  await kv.a.remove("prod.kind.shop.b", revision ?? 0);
  expect(await newest()).toBeUndefined();
  await kv.nats.js.publish("$KV.sources.prod.kind.shop.c", '{"v":2}');
  expect(await newest()).toBeUndefined();
});

test("a record is created once, updated at its revision and removed at its revision", async () => {
  await using kv = await startTwo();

  const created = await kv.a.create("prod.x", count(1));
  expect(await kv.b.create("prod.x", count(9))).toBeUndefined();
  expect(await kv.b.get("prod.x")).toEqual({ key: "prod.x", value: count(1), revision: created });

  const updated = await kv.b.update("prod.x", count(2), created ?? 0);
  expect(updated).toBeGreaterThan(created ?? 0);
  expect(await kv.a.update("prod.x", count(3), created ?? 0)).toBeUndefined();
  expect(await kv.a.remove("prod.x", created ?? 0)).toBe(false);
  expect(await kv.a.get("prod.x")).toMatchObject({ value: count(2), revision: updated });

  expect(await kv.a.remove("prod.x", updated ?? 0)).toBe(true);
  expect(await kv.b.get("prod.x")).toBeUndefined();
  expect(await kv.b.remove("prod.x", updated ?? 0)).toBe(false);
  expect(await kv.b.update("prod.x", count(4), updated ?? 0)).toBeUndefined();
  expect(await kv.b.create("prod.x", count(5))).toBeGreaterThan(updated ?? 0);
});

test("of two that write at once one wins, every time", async () => {
  await using kv = await startTwo();
  let revision = (await kv.a.create("prod.x", count(0))) ?? 0;
  for (let round = 1; round <= 20; round++) {
    const results = await Promise.all([
      kv.a.update("prod.x", count(round), revision),
      kv.b.update("prod.x", count(-round), revision),
    ]);
    const [won, ...more] = results.filter((result) => result !== undefined);
    expect(more).toEqual([]);
    const entry = await kv.b.get("prod.x");
    expect(entry?.revision).toBe(won);
    expect(entry?.value.n).toBe(results[0] === undefined ? -round : round);
    revision = won ?? 0;
  }
  const creations = await Promise.all(
    Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? kv.a : kv.b).create("prod.y", count(i))),
  );
  expect(creations.filter((result) => result !== undefined)).toHaveLength(1);
  const at = (await kv.a.get("prod.y"))?.revision ?? 0;
  const removals = await Promise.all([kv.a.remove("prod.y", at), kv.b.remove("prod.y", at)]);
  expect(removals.toSorted()).toEqual([false, true]);
});

test("a read sees every acknowledged write, from another client", async () => {
  await using kv = await startTwo();
  let revision = (await kv.a.create("prod.x", count(0))) ?? 0;
  for (let n = 1; n <= 100; n++) {
    revision = (await kv.a.update("prod.x", count(n), revision)) ?? 0;
    expect(await kv.b.get("prod.x")).toEqual({ key: "prod.x", value: count(n), revision });
  }
});

test("what was never there is undefined", async () => {
  await using kv = await startTwo();

  expect(await kv.a.get("prod.none")).toBeUndefined();
  expect(await kv.a.update("prod.none", count(1), 5)).toBeUndefined();
  expect(await kv.a.remove("prod.none", 5)).toBe(false);
});

test.each(["prod.*", ">", "prod.>"])("%s is no key: nothing is removed by it", async (key) => {
  await using kv = await startTwo();
  await kv.a.create("prod.x", count(1));

  await expect(kv.a.remove(key, 1)).rejects.toThrow("wildcard");
  await expect(kv.a.create(key, count(1))).rejects.toThrow("invalid key");
  await expect(kv.a.get(key)).rejects.toThrow("invalid key");

  expect(await all(kv.a)).toEqual([["prod.x", 1]]);
});

test("a record that an operator purged from the stream can be created again", async () => {
  await using kv = await startTwo();
  await kv.a.create("prod.x", count(1));
  await kv.nats.jsm.streams.purge("KV_sources", { filter: "$KV.sources.prod.x" });

  expect(await kv.a.get("prod.x")).toBeUndefined();
  expect(await kv.a.create("prod.x", count(2))).toBeGreaterThan(0);
  expect(await all(kv.b)).toEqual([["prod.x", 2]]);
});

test("a snapshot of an empty bucket is empty", async () => {
  await using kv = await startTwo();

  expect(await all(kv.a)).toEqual([]);
  expect(await all(kv.a, "prod.>")).toEqual([]);
});

test("a snapshot holds what is present: the newest of each, without what was removed", async () => {
  await using kv = await startTwo();
  const x = await kv.a.create("prod.x", count(1));
  await kv.a.create("prod.y", count(2));
  const z1 = await kv.a.create("prod.z", count(3));
  await kv.a.create("test.x", count(4));
  await kv.b.update("prod.x", count(5), x ?? 0);
  await kv.b.remove("prod.z", z1 ?? 0);

  expect(await all(kv.a)).toEqual([
    ["prod.y", 2],
    ["test.x", 4],
    ["prod.x", 5],
  ]);
  expect(await all(kv.a, "prod.*")).toEqual([
    ["prod.y", 2],
    ["prod.x", 5],
  ]);
  expect(await all(kv.a, "none.>")).toEqual([]);
});

test("a snapshot ends where everything, or only the last, was removed", async () => {
  await using kv = await startTwo();
  for (const key of ["prod.x", "prod.y"]) {
    const revision = await kv.a.create(key, count(1));
    await kv.a.remove(key, revision ?? 0);
  }
  expect(await all(kv.b)).toEqual([]);
  await kv.a.create("prod.x", count(2));
  expect(await all(kv.b)).toEqual([["prod.x", 2]]);
});

test("a snapshot of many records is whole, also while they are written", async () => {
  await using kv = await startTwo();
  const keys = Array.from({ length: 1_500 }, (_, i) => `prod.k${i}`);
  const revisions = await Promise.all(keys.map((key) => kv.a.create(key, count(0))));
  const writing = Promise.all(keys.map((key, i) => kv.b.update(key, count(1), revisions[i] ?? 0)));

  const entries = new Map(await all(kv.a));
  await writing;

  expect(entries.size).toBe(1_500);
  const consumers = await kv.nats.jsm.consumers.list("KV_sources").next();
  expect(consumers).toEqual([]);
});

test("a snapshot ends where what it waits for was purged meanwhile", async () => {
  await using kv = await startTwo();
  const keys = Array.from({ length: 1_200 }, (_, i) => `prod.k${i}`);
  await Promise.all(keys.map((key) => kv.a.create(key, count(0))));
  const read: string[] = [];

  for await (const { key } of kv.a.snapshot()) {
    // The first read-ahead is 500: the rest is gone before it is asked for.
    if (read.length === 0) await kv.nats.jsm.streams.purge("KV_sources");
    read.push(key);
  }

  expect(read.length).toBeGreaterThan(0);
  expect(read.length).toBeLessThan(1_200);
});

test("a snapshot that is left early leaves nothing behind", async () => {
  await using kv = await startTwo();
  await Promise.all(Array.from({ length: 20 }, (_, i) => kv.a.create(`prod.k${i}`, count(i))));

  for await (const { value } of kv.a.snapshot()) {
    expect(value.n).toBeGreaterThanOrEqual(0);
    break;
  }

  expect(await kv.nats.jsm.consumers.list("KV_sources").next()).toEqual([]);
});

test("a snapshot that loses its connection fails instead of ending early", async () => {
  await using kv = await startTwo();
  await Promise.all(Array.from({ length: 1_200 }, (_, i) => kv.a.create(`prod.k${i}`, count(i))));
  const reading = (async () => {
    let n = 0;
    for await (const { key } of kv.a.snapshot()) {
      if (n++ === 0) {
        expect(key).toContain("prod.k");
        await kv.server.kill();
        await waitFor(() => kv.nats.fault() !== undefined);
      }
    }
  })();

  await expect(reading).rejects.toThrow("the connection was lost meanwhile");
  await kv.server.restart();
  await waitFor(() => kv.nats.fault() === undefined);
  expect(await all(kv.a)).toHaveLength(1_200);
});

test("a record of a newer version is left alone: an error of get, left out of a snapshot", async () => {
  await using kv = await startTwo();
  const newer = await openKv(kv.other, "sources", z.object({ v: z.literal(2), text: z.string() }));
  await kv.a.create("prod.a", count(1));
  const revision = await newer.create("prod.b", { v: 2, text: "from the future" });
  await kv.a.create("prod.c", count(3));

  const err: unknown = await kv.a.get("prod.b").catch((thrown: unknown) => thrown);

  expect(err).toBeInstanceOf(TerminalError);
  expect(err).toMatchObject({ reason: "Unreadable" });
  expect((err as Error).message).not.toContain("future");
  expect(await all(kv.a)).toEqual([
    ["prod.a", 1],
    ["prod.c", 3],
  ]);
  expect(await newer.get("prod.b")).toMatchObject({ revision });
  expect(kv.lines).toContainEqual(
    expect.objectContaining({ msg: "skipping unreadable record", key: "prod.b", level: "error" }),
  );
});

test("bytes that are no JSON are left alone too", async () => {
  await using kv = await startTwo();
  await kv.nats.js.publish("$KV.sources.prod.bad", "{oops");

  await expect(kv.a.get("prod.bad")).rejects.toMatchObject({ reason: "Unreadable" });
  expect(await all(kv.a)).toEqual([]);
});

test("a watch reports what is present, then each write, in order, and removals", async () => {
  await using kv = await startTwo();
  const stop = new AbortController();
  await kv.a.create("prod.before", count(0));
  const calls = watching(kv.a, stop.signal, "prod.>");
  await waitFor(() => calls.includes("synced"));

  const created = await kv.b.create("prod.x", count(1));
  await kv.b.create("test.x", count(7));
  const updated = await kv.b.update("prod.x", count(2), created ?? 0);
  await kv.b.remove("prod.x", updated ?? 0);
  await kv.nats.js.publish("$KV.sources.prod.bad", "{oops");
  await kv.b.create("prod.end", count(9));

  await waitFor(() => calls.length === 8);
  expect(calls).toEqual([
    "start",
    ["prod.before", 0],
    "synced",
    ["prod.x", 1],
    ["prod.x", 2],
    ["prod.x", undefined],
    ["prod.bad", undefined],
    ["prod.end", 9],
  ]);
  stop.abort();
  expect(getEventListeners(stop.signal, "abort")).toEqual([]);
});

test("a watch begins anew after the server was away, and says so at once", async () => {
  await using kv = await startTwo();
  const stop = new AbortController();
  const calls = watching(kv.a, stop.signal);
  await waitFor(() => calls.includes("synced"));
  await kv.b.create("prod.x", count(1));
  await waitFor(() => calls.length === 3);

  await kv.server.kill();
  await waitFor(() => calls.length === 4);
  await kv.server.restart();
  await waitFor(() => calls.at(-1) === "synced");

  const anew = ["start", ["prod.x", 1], "synced"];
  expect(calls).toEqual(["start", "synced", ["prod.x", 1], ...anew]);
  stop.abort();
  await waitFor(() => getEventListeners(stop.signal, "abort").length === 0);
});

test("a watch that is ended reports nothing more, and reconnects do not bring it back", async () => {
  await using kv = await startTwo();
  const stop = new AbortController();
  const calls = watching(kv.a, stop.signal);
  await waitFor(() => calls.includes("synced"));

  stop.abort();
  await kv.b.create("prod.x", count(1));
  const back = new Promise<void>((resolve) => void kv.nats.onReconnect(resolve));
  await kv.server.restart();
  await back;
  const second = new AbortController();
  const others = watching(kv.a, second.signal);
  await waitFor(() => others.includes("synced"));
  await kv.a.create("prod.y", count(1));
  await waitFor(() => others.some(([key]) => key === "prod.y"));

  expect(calls).toEqual(["start", "synced"]);
  second.abort();
});

test("a watch that began in an outage lists after it", async () => {
  await using kv = await startTwo();
  const stop = new AbortController();
  await kv.a.create("prod.x", count(1));
  await kv.server.kill();
  await waitFor(() => kv.nats.fault() !== undefined);
  const calls = watching(kv.a, stop.signal);

  await kv.server.restart();

  await waitFor(() => calls.includes("synced"));
  expect(calls.slice(-2)).toEqual([["prod.x", 1], "synced"]);
  stop.abort();
});

test("what could not be read again is not written", async () => {
  await using kv = await startTwo();
  const revision = (await kv.a.create("prod.x", count(1))) ?? 0;

  const wrong = count(Number.NaN);
  for (const write of [kv.a.create("prod.y", wrong), kv.a.update("prod.x", wrong, revision)]) {
    await expect(write).rejects.toThrow(
      /^record prod\.[xy] in sources is not of the form this version reads \(n: /,
    );
  }
  expect(await all(kv.b)).toEqual([["prod.x", 1]]);
});
