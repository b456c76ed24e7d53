import type { SourceRecord } from "@rollcast/shared/records";
import { expect, test } from "vitest";
import { createSourceCache, fingerprintOfRecord, fingerprintOfObserved } from "./source-cache.ts";

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

test("an older revision is not taken", () => {
  const cache = createSourceCache();
  cache.set("key", record({ resourceVersion: "12" }), 5);
  cache.set("key", record({ resourceVersion: "11" }), 4);

  expect(cache.get("key")?.resourceVersion).toBe("12");
});

test("pending records are listed until they are published or removed", () => {
  const cache = createSourceCache();
  cache.set("key", record({ state: "pending" }), 1);
  expect([...cache.pending]).toEqual(["key"]);

  cache.set("key", record(), 2);
  expect(cache.pending.size).toBe(0);
  cache.set("key", record({ state: "pending" }), 3);
  cache.set("key", undefined, 4);
  expect(cache.pending.size).toBe(0);
  expect(cache.size()).toBe(0);
});

test("a record that differs from the observation is noticed until they agree", () => {
  const cache = createSourceCache();
  cache.set("key", record(), 1);
  cache.observe("key", fingerprintOfObserved(observed, "k"));
  expect(cache.drifted.size).toBe(0);

  cache.set("key", record({ digests: {} }), 2);
  expect([...cache.drifted.keys()]).toEqual(["key"]);
  cache.observe("key", undefined);
  expect([...cache.drifted.keys()]).toEqual(["key"]);
  cache.set("key", record({ deletedAt: 1 }), 3);
  expect(cache.drifted.size).toBe(0);
});
