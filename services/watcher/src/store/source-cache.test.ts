import type { SourceRecord } from "@rollcast/shared/records";
import { expect, test } from "vitest";
import { createKnownSources, fingerprintOfRecord, fingerprintOfSeen } from "./source-cache.ts";

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
const seen = { ...record(), kind: "Secret" as const, editors: [] };

test("a record and what was seen have one fingerprint where they say the same", () => {
  expect(fingerprintOfSeen({ ...seen, digests: { b: "2", a: "1" } }, "k")).toBe(
    fingerprintOfRecord(record()),
  );
});

test.each([
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
  const known = createKnownSources();
  known.take("key", record({ resourceVersion: "12" }), 5);
  known.take("key", record({ resourceVersion: "11" }), 4);

  expect(known.get("key")?.resourceVersion).toBe("12");
});

test("pending records are known until they are published or removed", () => {
  const known = createKnownSources();
  known.take("key", record({ state: "pending" }), 1);
  expect([...known.pending]).toEqual(["key"]);

  known.take("key", record(), 2);
  expect(known.pending.size).toBe(0);
  known.take("key", record({ state: "pending" }), 3);
  known.take("key", undefined, 4);
  expect(known.pending.size).toBe(0);
  expect(known.size()).toBe(0);
});

test("a record that differs from what was seen is noticed, and no longer when they agree", () => {
  const known = createKnownSources();
  known.take("key", record(), 1);
  known.see("key", fingerprintOfSeen(seen, "k"));
  expect(known.disagreeing.size).toBe(0);

  known.take("key", record({ digests: {} }), 2);
  expect([...known.disagreeing.keys()]).toEqual(["key"]);
  known.see("key", undefined);
  expect([...known.disagreeing.keys()]).toEqual(["key"]);
  known.take("key", record({ deletedAt: 1 }), 3);
  expect(known.disagreeing.size).toBe(0);
});
