import { expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { formatMarker, parseMarker } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { ListWatch } from "@rollcast/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import { givenSource } from "../../test/given-situation.ts";
import { candidates } from "../model/workload.ts";
import { createSourceNames, feedSourceNames } from "./workload-index.ts";

const MIB = 1_048_576;
/** What runs, and the rollouts that a record has at most: one under way, four unconfirmed. */
const ROLLOUTS = 5;
const rules = rulesOf();

function matched(patterns: string, names: readonly string[], namespace = "shop") {
  const sources = createSourceNames(
    rules.patterns,
    { usersOf: () => [] },
    { enqueue: () => undefined },
  );
  for (const name of names) sources.add({ kind: "ConfigMap", namespace, name });
  const annotations = { "rollcast.dev/auto": "true", "configmap.rollcast.dev/reload": patterns };
  return candidates(
    sources,
    givenWorkload({ annotations, rules, spec: {}, metadata: { namespace } }),
  );
}

const numbered = (count: number, length: number) =>
  Array.from({ length: count }, (_, i) => String(i).padStart(5, "0").padEnd(length, "x"));

test.each([
  { length: 5, space: "shop", least: 800 },
  { length: 30, space: "a-usual-namespace", least: 600 },
  { length: 253, space: "s".repeat(63), least: 200 },
])(
  "a workload has room for at least $least sources with names of $length characters, and its record and marker for them",
  ({ length, space, least }) => {
    const { keys, left } = matched(".*", numbered(2_000, length), space);
    expect(keys.length).toBeGreaterThanOrEqual(least);
    expect([...keys, ...left]).toEqual([...keys, ...left].toSorted());
    expect(keys.length + left.length).toBe(2_000);

    const content: Content = { keys: "*", digest: `${"a".repeat(16)}.${"0".repeat(32)}` };
    const contents = Object.fromEntries(keys.map((key) => [key, content]));
    const marker = formatMarker(contents as Record<SourceKey, Content>, space, 1);
    expect(parseMarker(marker, space).size).toBe(keys.length);
    const rollouts = Array.from({ length: ROLLOUTS }, () => ({ wanted: contents, marker }));
    expect(JSON.stringify({ running: contents, rollouts }).length).toBeLessThan(0.9 * MIB);
  },
);

test("what is named without a pattern has room before what a pattern matches, and counts once", () => {
  const names = numbered(2_000, 30);
  const last = names.at(-1) ?? "";
  const { keys, left } = matched(`.*,0.*,${last}`, names);
  expect(keys[0]).toBe(`ConfigMap/shop/${last}`);
  expect(new Set([...keys, ...left]).size).toBe(2_000);
  expect(keys.length + left.length).toBe(2_000);
});

/** Names that are fed by a bucket, of which the test says what it reports. */
async function feeding() {
  const enqueued: string[] = [];
  const user = givenWorkload({ rules });
  const names = createSourceNames(
    rules.patterns,
    { usersOf: () => [user] },
    { enqueue: (key) => enqueued.push(key) },
  );
  const watch = Promise.withResolvers<ListWatch<SourceRecord>>();
  const sources = { listAndWatch: watch.resolve } as never;
  const signal = AbortSignal.timeout(60_000);
  const fed = feedSourceNames(names, { sources, cluster: "test", signal });
  const { onStart, onEntry, onUnreadable, onSynced } = await watch.promise;
  const of = (name: string) => ({ kind: "ConfigMap", namespace: "shop", name });
  const key = (name: string) => recordKey("test", of(name));
  let revision = 0;
  return {
    fed,
    enqueued,
    start: () => onStart?.(),
    put: (name: string) =>
      onEntry(key(name), { ...givenSource("aa"), ...of(name) } as SourceRecord, ++revision),
    remove: (name: string) => onEntry(key(name), undefined, ++revision),
    spoil: (name: string) => onUnreadable?.(key(name), ++revision),
    listed: () => onSynced(),
    now: () => names.matching({ ...of(""), kind: "ConfigMap", pattern: ".*" }),
  };
}

test("a source whose record is removed is forgotten, also in a gap of the watch", async () => {
  const feed = await feeding();
  feed.start();
  for (const name of ["a.b", "b", "c"]) feed.put(name);
  feed.listed();
  await feed.fed;
  expect(feed.now()).toEqual(["a.b", "b", "c"].map((name) => `ConfigMap/shop/${name}`));
  feed.remove("a.b");
  expect(feed.now()).toEqual(["ConfigMap/shop/b", "ConfigMap/shop/c"]);
  feed.start();
  feed.put("c");
  feed.listed();
  expect(feed.now()).toEqual(["ConfigMap/shop/c"]);
  // Coming back, it is looked for again.
  const before = feed.enqueued.length;
  feed.put("b");
  expect(feed.enqueued).toHaveLength(before + 1);
});

test("a source whose record cannot be read keeps its name, and has it from the start", async () => {
  const feed = await feeding();
  feed.start();
  feed.put("a");
  feed.spoil("b");
  feed.listed();
  const before = feed.enqueued.length;
  feed.spoil("a");
  expect(feed.now().toSorted()).toEqual(["ConfigMap/shop/a", "ConfigMap/shop/b"]);
  // Its users are looked at, which names them.
  expect(feed.enqueued).toHaveLength(before + 1);
});
