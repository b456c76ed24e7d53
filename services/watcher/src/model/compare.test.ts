import { SourceRecord } from "@rollcast/shared/records";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { changedKeys, compare, compareDeleted } from "./compare.ts";
import type { Circumstances } from "./compare.ts";
import type { ObservedSource } from "./transform.ts";

const CREATED = Date.parse("2026-11-23T04:00:00Z");
const NOW = Date.parse("2026-11-23T05:00:00.300Z");
const A = "a".repeat(32);
const B = "b".repeat(32);

const observed = (over: Partial<ObservedSource> = {}): ObservedSource => ({
  kind: "ConfigMap",
  namespace: "shop",
  name: "web",
  uid: "u1",
  resourceVersion: "20",
  digests: { LOG: A },
  createdAt: CREATED,
  editors: [],
  annotations: {},
  ...over,
});
const record = (over: Partial<SourceRecord> = {}): SourceRecord => ({
  v: 1,
  kind: "ConfigMap",
  namespace: "shop",
  name: "web",
  uid: "u1",
  resourceVersion: "10",
  keyId: "k1",
  digests: { LOG: A },
  state: "published",
  change: "none",
  createdAt: CREATED,
  annotations: {},
  ...over,
});
const at = (over: Partial<Circumstances> = {}): Circumstances => ({
  keyId: "k1",
  now: NOW,
  origin: "watch",
  covered: true,
  restored: false,
  ...over,
});

describe("a source without a record", () => {
  test("is created once the first sync is over", () => {
    expect(compare(undefined, observed(), at())).toMatchObject({
      state: "pending",
      change: "created",
      reason: "Created",
      changedKeys: { added: ["LOG"], changed: [], removed: [] },
    });
  });

  test("is adopted in the first sync without an event", () => {
    expect(compare(undefined, observed(), at({ covered: false }))).toMatchObject({
      state: "published",
      change: "none",
    });
  });

  test.each([
    {
      name: "edited after its creation: that is its last change",
      time: CREATED + 60_000,
      want: CREATED + 60_000,
    },
    { name: "not edited since: there was no change", time: CREATED, want: undefined },
  ])("$name", ({ time, want }) => {
    const adopted = compare(
      undefined,
      observed({ editors: [{ manager: "m", time }] }),
      at({ covered: false }),
    );

    expect(adopted?.changedAt).toBe(want);
    expect(adopted?.changedWithin).toBe(want === undefined ? undefined : 999);
  });
});

describe("a source with a record", () => {
  test("with the same content is left unchanged, whatever else changed", () => {
    expect(compare(record(), observed({ resourceVersion: "99" }), at())).toBeUndefined();
  });

  test("with other content has changed", () => {
    const next = compare(
      record(),
      observed({
        digests: { LOG: B, NEW: A },
        editors: [{ manager: "kubectl-edit", time: NOW - 300 }],
      }),
      at(),
    );

    expect(next).toMatchObject({
      state: "pending",
      change: "changed",
      reason: "DataChanged",
      resourceVersion: "20",
      changedKeys: { added: ["NEW"], changed: ["LOG"], removed: [] },
      changedBy: { manager: "kubectl-edit", time: "2026-11-23T05:00:00.000Z" },
      changedAt: NOW,
      changedWithin: 0,
    });
    expect(next?.restoredFrom).toBeUndefined();
  });

  test.each([
    { name: "an older version", resourceVersion: "9" },
    { name: "the same version", resourceVersion: "10" },
  ])("never goes back to $name", ({ resourceVersion }) => {
    const older = observed({ resourceVersion, digests: { LOG: B } });

    expect(compare(record(), older, at())).toBeUndefined();
    expect(compareDeleted(record(), { resourceVersion }, at())).toBeUndefined();
  });

  test("dates annotations by the content if both changed at once", () => {
    const annotations = { "rollcast.dev/match": "true" };
    const editors = [{ manager: "kubectl", time: NOW - 60_000 }];
    const both = observed({ annotations, digests: { LOG: B }, editors });
    const changed = compare(record(), both, at({ origin: "list" }));
    expect(changed?.annotatedAt).toBe(changed?.changedAt);
    const later = observed({ annotations, digests: { LOG: A }, resourceVersion: "30" });
    expect(compare(changed && { ...changed, state: "published" }, later, at())?.annotatedAt).toBe(
      changed?.annotatedAt,
    );
  });

  test("keeps what was published when only an annotation changed", () => {
    const published = record({
      change: "changed",
      reason: "DataChanged",
      changedAt: 5,
      changedWithin: 0,
    });
    const annotations = { "rollcast.dev/ignore": "true" };

    expect(compare(published, observed({ annotations }), at())).toEqual({
      ...published,
      annotations,
      annotatedAt: NOW,
      resourceVersion: "20",
    });
  });

  test("replaced by another object with the same data is no change", () => {
    expect(compare(record(), observed({ uid: "u2" }), at())).toMatchObject({
      uid: "u2",
      state: "published",
      change: "none",
    });
  });

  test("replaced by another object with other data has changed", () => {
    expect(compare(record(), observed({ uid: "u2", digests: { LOG: B } }), at())).toMatchObject({
      change: "changed",
      reason: "Recreated",
    });
  });

  test("under another installation key is adopted again without an event", () => {
    const same = observed({ resourceVersion: "10", digests: { LOG: B } });
    const next = compare(record(), same, at({ keyId: "k2" }));

    expect(next).toMatchObject({ keyId: "k2", state: "published", change: "none" });
    expect(
      compare(record(), { ...same, resourceVersion: "9" }, at({ keyId: "k2" })),
    ).toBeUndefined();
  });
});

describe("when it changed", () => {
  const changed = (over: Partial<ObservedSource>, circumstances: Partial<Circumstances> = {}) => {
    const next = compare(record(), observed({ digests: { LOG: B }, ...over }), at(circumstances));
    return [next?.changedAt, next?.changedWithin];
  };
  const long = NOW - 600_000;

  test.each([
    {
      name: "observed live: our clock",
      editor: { manager: "m", time: NOW - 300 },
      origin: "watch",
      want: [NOW, 0],
    },
    {
      name: "observed live, a second after it",
      editor: { manager: "m", time: NOW - 1_300 },
      origin: "watch",
      want: [NOW - 301, 0],
    },
    {
      name: "delivered late: the editor's second",
      editor: { manager: "m", time: long },
      origin: "watch",
      want: [long, 999],
    },
    {
      name: "observed by a list: the editor's second",
      editor: { manager: "m", time: NOW - 1_000 },
      origin: "list",
      want: [NOW - 1_000, 999],
    },
    {
      name: "nobody says: now, which is never too early",
      editor: undefined,
      origin: "list",
      want: [NOW, 0],
    },
  ] as const)("$name", ({ editor, origin, want }) => {
    expect(changed(editor === undefined ? {} : { editors: [editor] }, { origin })).toEqual(want);
  });

  test("a removed key leaves the editors' times as they were, so they do not count", () => {
    const next = compare(
      record({ digests: { LOG: A, OLD: A } }),
      observed({ editors: [{ manager: "m", time: long, keys: new Set(["LOG"]) }] }),
      at({ origin: "list" }),
    );

    expect(next?.changedAt).toBe(NOW);
  });
});

test("the changes before the last one are remembered, with the keys that differed", () => {
  const values = ["b", "c", "d", "e", "f", "0"].map((digit) => digit.repeat(32));
  const records: (SourceRecord | undefined)[] = [record()];
  for (const [i, value] of values.entries()) {
    const digests = { LOG: value, [`K${i}`]: value };
    const next = observed({ digests, resourceVersion: String(20 + i) });
    records.push(compare(records.at(-1), next, at({ now: NOW + i })));
  }
  const last = records.at(-1);
  expect(records.map((each) => each?.changeCount)).toEqual([undefined, 1, 2, 3, 4, 5, 6]);
  expect(last?.changedAt).toBe(NOW + 5);
  expect(last?.earlierChanges).toEqual(
    [1, 2, 3, 4].map((i) => ({ at: NOW + i, keys: [`K${i}`, "LOG", `K${i - 1}`] })),
  );
  // What is made again with the same data is no change.
  const gone = compareDeleted(last, { ...observed(), resourceVersion: "30" }, at());
  const again = compare(
    gone,
    observed({ digests: last?.digests ?? {}, uid: "u2", resourceVersion: "31" }),
    at(),
  );
  expect(again).toMatchObject({ changeCount: 6, earlierChanges: last?.earlierChanges });
});

test("of an earlier change with many keys no names are kept", () => {
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`K${i}`, A]));
  const first = compare(record(), observed({ digests: many }), at());
  const second = compare(first, observed({ resourceVersion: "21" }), at({ now: NOW + 1 }));
  expect(second?.earlierChanges).toEqual([{ at: NOW }]);
});

test("the editor that set a changed key changed it, even if another is as recent", () => {
  const time = NOW - 300;
  const editors = [
    { manager: "creator", time, keys: new Set(["OTHER"]) },
    { manager: "kubectl-edit", time, keys: new Set(["LOG"]) },
  ];
  const digests = { LOG: B, OTHER: A };
  const next = compare(
    record({ digests: { LOG: A, OTHER: A } }),
    observed({ digests, editors }),
    at(),
  );

  expect(next?.changedBy?.manager).toBe("kubectl-edit");
});

describe("a deleted source", () => {
  test("keeps a tombstone with its digests, and its deletion is published", () => {
    const by = { manager: "m" };
    const next = compareDeleted(
      record({ changedBy: by }),
      { uid: "u1", resourceVersion: "20" },
      at(),
    );

    expect(next).toMatchObject({
      state: "pending",
      change: "deleted",
      digests: { LOG: A },
      deletedAt: NOW,
      resourceVersion: "20",
      changedKeys: { added: [], changed: [], removed: ["LOG"] },
    });
    expect(next?.changedBy).toBeUndefined();
  });

  test("that was never recorded is ignored", () => {
    expect(compareDeleted(undefined, { resourceVersion: "20" }, at())).toBeUndefined();
  });

  test("that is already recorded as deleted is ignored", () => {
    const tombstone = record({ deletedAt: 1, change: "deleted" });

    expect(compareDeleted(tombstone, { resourceVersion: "20" }, at())).toBeUndefined();
  });

  test("that comes back with the same data is created, not changed", () => {
    const tombstone = record({ deletedAt: 1, change: "deleted", changedAt: 5, changedWithin: 0 });
    const next = compare(tombstone, observed({ uid: "u2" }), at());

    expect(next).toMatchObject({ change: "created", reason: "Recreated", changedAt: 5 });
    expect(next?.deletedAt).toBeUndefined();
  });

  test("that comes back with other data has changed", () => {
    const tombstone = record({ deletedAt: 1, change: "deleted" });
    const next = compare(tombstone, observed({ uid: "u2", digests: { LOG: B } }), at());

    expect(next).toMatchObject({
      change: "changed",
      reason: "Recreated",
      tombstone: { deletedAt: 1, resourceVersion: tombstone.resourceVersion },
    });
    expect(next?.deletedAt).toBeUndefined();

    const published = { ...(next as SourceRecord), state: "published" as const };
    const marked = { digests: { LOG: B }, annotations: { "rollcast.dev/match": "true" } };
    const annotated = observed({ uid: "u2", resourceVersion: "30", ...marked });
    expect(compare(published, annotated, at())?.tombstone).toEqual(published.tombstone);
    const later = observed({ uid: "u2", resourceVersion: "31" });
    expect(compare(published, later, at())?.tombstone).toBeUndefined();
    const gone = compareDeleted(published, { resourceVersion: "31" }, at());
    expect(gone?.tombstone).toBeUndefined();
  });
});

describe("after the cluster was restored from a backup", () => {
  const restored = at({ restored: true, origin: "list" });
  const older = observed({ resourceVersion: "7" });

  test("a record with the same content takes the older version without an event", () => {
    expect(compare(record(), older, restored)).toMatchObject({
      resourceVersion: "7",
      state: "published",
    });
  });

  test("a record with other content has changed, with the version it went back from", () => {
    expect(compare(record(), { ...older, digests: { LOG: B } }, restored)).toMatchObject({
      resourceVersion: "7",
      change: "changed",
      restoredFrom: "10",
    });
  });

  test("a record that is right already is not written again", () => {
    expect(compare(record(), observed({ resourceVersion: "10" }), restored)).toBeUndefined();
    expect(compare(record(), observed({ resourceVersion: "11" }), restored)).toBeUndefined();
  });

  test("a missing source is deleted as of the list, and an old tombstone takes its version", () => {
    expect(compareDeleted(record(), { resourceVersion: "8" }, restored)).toMatchObject({
      change: "deleted",
      resourceVersion: "8",
      restoredFrom: "10",
    });
    const tombstone = record({ deletedAt: 1, change: "deleted" });
    expect(compareDeleted(tombstone, { resourceVersion: "8" }, restored)).toEqual({
      ...tombstone,
      resourceVersion: "8",
    });
  });
});

const digests = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom(A, B), {
  noNullPrototype: true,
});

/**
 * What two replicas observe of one history: each a part of it, in order and ending with the newest
 * version, interleaved in any way.
 */
const twoReplicas = fc.array(digests, { minLength: 1, maxLength: 8 }).chain((contents) => {
  const versions = contents.map((_, i) => i);
  const last = contents.length - 1;
  const view = fc.subarray(versions).map((some) => [...some.filter((i) => i !== last), last]);
  return fc.record({
    contents: fc.constant(contents),
    views: fc.tuple(view, view),
    picks: fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
  });
});

test("however two replicas interleave, the record ends at the newest and no version is published twice", () => {
  fc.assert(
    fc.property(twoReplicas, ({ contents, views, picks }) => {
      let latest: SourceRecord | undefined = record({ resourceVersion: "1", digests: {} });
      const published: string[] = [];
      const left = views.map((view) => [...view]);
      for (const pick of picks) {
        const mine = left[pick ? 1 : 0]?.length === 0 ? left[pick ? 0 : 1] : left[pick ? 1 : 0];
        const i = mine?.shift();
        if (i === undefined) break;
        const observation = observed({
          resourceVersion: String(i + 2),
          digests: contents[i] ?? {},
        });
        const next = compare(latest, observation, at());
        if (next === undefined) continue;
        expect(() => SourceRecord.parse(next)).not.toThrow();
        if (next.state === "pending") published.push(next.resourceVersion);
        latest = { ...next, state: "published" };
      }
      expect(latest?.digests).toEqual(contents.at(-1));
      expect(new Set(published).size).toBe(published.length);
    }),
    { numRuns: 500 },
  );
});

test("changed keys are a partition of what differs, bounded to 100 names", () => {
  const name = fc.integer({ min: 0, max: 200 }).map((i) => `key-${i}`);
  const many = fc.dictionary(name, fc.constantFrom(A, B), { maxKeys: 200, noNullPrototype: true });
  fc.assert(
    fc.property(many, many, (before, after) => {
      const keys = changedKeys(before, after);
      const named = [...keys.added, ...keys.changed, ...keys.removed];
      const differing = new Set([...Object.keys(before), ...Object.keys(after)]);
      for (const key of differing) if (before[key] === after[key]) differing.delete(key);
      expect(named.length + (keys.more ?? 0)).toBe(differing.size);
      expect(named.length).toBeLessThanOrEqual(100);
      expect(named.every((key) => differing.has(key))).toBe(true);
    }),
  );
});

test("the names of changed keys leave an event room, of any script", () => {
  const digests = (length: number, letter: string) =>
    Object.fromEntries(Array.from({ length: 100 }, (_, i) => [letter.repeat(length) + i, A]));

  const { added, more } = changedKeys({}, digests(250, "鍵"));
  expect(Buffer.byteLength(JSON.stringify(added))).toBeLessThanOrEqual(40_001);
  expect(added.length + (more ?? 0)).toBe(100);

  // As long as a ConfigMap's may be.
  expect(changedKeys({}, digests(251, "k")).added).toHaveLength(100);
});

test("a key named like a property of objects is a key like others", () => {
  const keys = changedKeys({}, JSON.parse(`{"constructor":"${A}","__proto__":"${A}"}`));

  expect(keys.added).toEqual(["__proto__", "constructor"]);
});
