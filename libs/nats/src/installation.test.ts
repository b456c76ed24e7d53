import { expect, test } from "vitest";
import { z } from "zod";
import { Installation, coverageKey, coverageKeys, sourceKeys, withKey } from "./installation.ts";
import { recordKey } from "@rollcast/shared/subjects";

/** As NATS matches subjects: `*` is one token. */
function matches(filter: string, key: string): boolean {
  const wanted = filter.split(".");
  const tokens = key.split(".");
  return (
    wanted.length === tokens.length &&
    wanted.every((token, i) => token === "*" || token === tokens[i])
  );
}

test("the filter of source records takes in no other key of the bucket", () => {
  const filter = sourceKeys("prod");

  expect(matches(filter, recordKey("prod", { kind: "Secret", namespace: "a", name: "b.c" }))).toBe(
    true,
  );
  for (const key of [
    "prod.installation",
    coverageKey("prod", "Secret", "a"),
    "prod.csi.pods.a.b",
  ]) {
    expect(matches(filter, key)).toBe(false);
  }
  expect(matches(filter, recordKey("test", { kind: "Secret", namespace: "a", name: "b" }))).toBe(
    false,
  );
});

test("the coverage of a kind and of a kind in a namespace never meet", () => {
  const keys = [
    coverageKey("prod", "ConfigMap"),
    coverageKey("prod", "ConfigMap", "a-b"),
    coverageKey("prod", "Secret", "a-b"),
    coverageKey("prod", "ConfigMap", "configmap"),
  ];

  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.every((key) => matches(coverageKeys("prod"), key))).toBe(true);
});

const AT = { v: 1, installedAt: 1 } as const;

test.each([
  {
    name: "none",
    before: undefined,
    want: { v: 1, installedAt: 9, keyId: "k1", earlierKeyIds: [] },
  },
  { name: "one of an older watcher", before: AT, want: { ...AT, keyId: "k1", earlierKeyIds: [] } },
  {
    name: "one with this key",
    before: { ...AT, keyId: "k1", earlierKeyIds: ["k0"] },
    want: { ...AT, keyId: "k1", earlierKeyIds: ["k0"] },
  },
  {
    name: "one with another key",
    before: { ...AT, keyId: "k2", earlierKeyIds: ["k0"] },
    want: { ...AT, keyId: "k1", earlierKeyIds: ["k2", "k0"] },
  },
  {
    name: "one in which this key was an earlier one",
    before: { ...AT, keyId: "k2", earlierKeyIds: ["k1", "k0"] },
    want: { ...AT, keyId: "k1", earlierKeyIds: ["k2", "k0"] },
  },
])("the present key in a record that was $name", ({ before, want }) => {
  const present = { now: 9, keyId: "k1" };
  expect(withKey(before, present)).toEqual(want);
  expect(withKey(withKey(before, present), present)).toEqual(want);
});

test("adopted keys stay where the list is cut, and are written once", () => {
  const earlierKeyIds = Array.from({ length: 16 }, (_, i) => `k${i}`);
  const present = { now: 9, keyId: "now", adoptedKeyIds: ["lost", "k3"] };

  const next = withKey({ ...AT, keyId: "before", earlierKeyIds }, present);

  expect(next.earlierKeyIds).toHaveLength(16);
  expect(next.earlierKeyIds?.slice(0, 5)).toEqual(["lost", "k3", "before", "k0", "k1"]);
  expect(withKey(next, present)).toEqual(next);
});

test("an older version reads the record, and this one that of an older version", () => {
  const Older = z.object({ v: z.literal(1), installedAt: z.number() });
  expect(Older.parse(withKey(AT, { now: 9, keyId: "k1" }))).toEqual(AT);
  expect(Installation.parse(AT)).toEqual(AT);
});
