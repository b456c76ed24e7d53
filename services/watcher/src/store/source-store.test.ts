import { SourceRecord } from "@rollcast/shared/records";
import { createKvStore } from "@rollcast/nats/kv-store";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  cachedSource,
  createSourceCache,
  fingerprintOfObserved,
  fingerprintOfRecord,
} from "./source-store.ts";
import type { CachedSource } from "./source-store.ts";

const record = (over: Partial<SourceRecord> = {}): SourceRecord => ({
  v: 1,
  kind: "Secret",
  namespace: "n",
  name: "s",
  uid: "u",
  resourceVersion: "10",
  keyId: "k",
  digests: { a: "1", b: "2" },
  state: "published",
  change: "none",
  createdAt: 0,
  annotations: {},
  ...over,
});
const observed = { ...record(), kind: "Secret" as const, editors: [] };

test("a record and an observation with the same content have the same fingerprint", () => {
  expect(fingerprintOfObserved({ ...observed, digests: { b: "2", a: "1" } }, "k")).toBe(
    fingerprintOfRecord(record()),
  );
});

/** A ConfigMap's key may be any of these, and the id of an object in a vault any text. */
const name = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "hasOwnProperty", "toString", "*", "a"),
  fc.string({ unit: "binary", maxLength: 5 }),
);
const digests = fc
  .array(fc.tuple(name, fc.constantFrom("1", "2")), { maxLength: 6 })
  .map((pairs) => Object.fromEntries(pairs));

test("what is read back is what was written, whatever the keys are named", () => {
  fc.assert(
    fc.property(digests, (written) => {
      const stored = SourceRecord.parse(JSON.parse(JSON.stringify(record({ digests: written }))));
      expect(Object.entries(stored.digests)).toEqual(Object.entries(written));
      expect(fingerprintOfRecord(stored)).toBe(
        fingerprintOfObserved({ ...observed, digests: written }, "k"),
      );
    }),
  );
});

test.each<{ name: string; over: Partial<SourceRecord> }>([
  { name: "a digest", over: { digests: { a: "1", b: "3" } } },
  { name: "a key", over: { digests: { a: "1" } } },
  { name: "the object", over: { uid: "v" } },
  { name: "an annotation", over: { annotations: { "rollcast.dev/ignore": "true" } } },
  { name: "the installation key", over: { keyId: "l" } },
  { name: "a deletion", over: { deletedAt: 1 } },
])("$name makes another fingerprint", ({ over }) => {
  expect(fingerprintOfRecord(record(over))).not.toBe(fingerprintOfRecord(record()));
});

function startCache() {
  const records = createKvStore<CachedSource>();
  const set = (key: string, value: SourceRecord | undefined, revision: number) =>
    records.set(key, value === undefined ? undefined : cachedSource(value), revision);
  set("before", record({ state: "pending" }), 1);
  return { cache: createSourceCache(records), set };
}

test("pending records are listed until they are published or removed", () => {
  const { cache, set } = startCache();
  expect([...cache.pending]).toEqual(["before"]);
  set("key", record({ state: "pending" }), 2);
  expect([...cache.pending]).toEqual(["before", "key"]);

  set("before", undefined, 3);
  set("key", record(), 4);
  expect(cache.pending.size).toBe(0);
  expect(cache.size()).toBe(1);
});

test("a record that differs from the observation is noticed until they agree", () => {
  const { cache, set } = startCache();
  set("key", record(), 2);
  cache.observe("key", fingerprintOfObserved(observed, "k"));
  expect(cache.drifted.size).toBe(0);

  set("key", record({ digests: {} }), 3);
  expect([...cache.drifted.keys()]).toEqual(["key"]);
  cache.observe("key", undefined);
  expect([...cache.drifted.keys()]).toEqual(["key"]);
  set("key", record({ deletedAt: 1 }), 4);
  expect(cache.drifted.size).toBe(0);
});

test("a record that is gone while its source is there is different, until the source is gone too", () => {
  const { cache, set } = startCache();
  set("key", record(), 2);
  cache.observe("key", fingerprintOfObserved(observed, "k"));
  set("key", undefined, 3);
  expect([...cache.drifted.keys()]).toEqual(["key"]);
  cache.observe("key", undefined);
  expect(cache.drifted.size).toBe(0);
  set("key", record(), 4);
  expect(cache.drifted.size).toBe(0);
});

test("the removed record of a source that is gone is neither different nor observed any more", () => {
  const { cache, set } = startCache();
  set("key", record(), 2);
  cache.observe("key", undefined);
  expect(cache.drifted.size).toBe(1);

  set("key", undefined, 3);
  expect(cache.drifted.size).toBe(0);
  set("key", record(), 4);
  expect(cache.drifted.size).toBe(0);
});
