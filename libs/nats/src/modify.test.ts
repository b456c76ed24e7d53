import { expect, test } from "vitest";
import type { Entry } from "./kv.ts";
import { modify, put } from "./modify.ts";

/** A bucket of one record, in which somebody else is faster so many times. */
function bucket(value: number | undefined, { conflicts = 0 } = {}) {
  let entry: Entry<number> | undefined =
    value === undefined ? undefined : { key: "k", value, revision: 1 };
  let left = conflicts;
  const write = (next: number, revision: number) => {
    if (left > 0) {
      left--;
      entry = { key: "k", value: (entry?.value ?? 0) + 100, revision: revision + 1 };
      return undefined;
    }
    entry = { key: "k", value: next, revision: revision + 1 };
    return entry.revision;
  };
  return {
    present: () => entry?.value,
    get: async () => entry,
    create: async (_: string, next: number) => (entry === undefined ? write(next, 0) : undefined),
    update: async (_: string, next: number, revision: number) =>
      entry?.revision === revision ? write(next, revision) : undefined,
    remove: async (_: string, revision: number) => {
      if (entry?.revision !== revision) return false;
      const isFirst = left === 0;
      if (isFirst) entry = undefined;
      else write(0, revision);
      return isFirst;
    },
  };
}

test("a record is written where nothing is, and over what was read", async () => {
  const kv = bucket(undefined);
  const first = await put(kv, "k", 1, undefined);
  expect(first).toEqual({ key: "k", value: 1, revision: 1 });
  expect(await put(kv, "k", 2, first)).toEqual({ key: "k", value: 2, revision: 2 });
  expect(await put(kv, "k", 3, first)).toBeUndefined();
  expect(await put(kv, "k", 3, undefined)).toBeUndefined();
  expect(kv.present()).toBe(2);
});

test("a change is made again on what somebody else wrote", async () => {
  const kv = bucket(1, { conflicts: 3 });
  expect((await modify(kv, "k", (before = 0) => before + 1))?.value).toBe(302);
  expect(kv.present()).toBe(302);
});

test("a change may make the record, or leave it", async () => {
  const kv = bucket(undefined);
  expect(await modify(kv, "k", (before) => before)).toBeUndefined();
  expect(kv.present()).toBeUndefined();
  expect((await modify(kv, "k", (before = 6) => before + 1))?.value).toBe(7);
  expect(await modify(kv, "k", () => undefined)).toBeUndefined();
  expect(kv.present()).toBe(7);
});

test("a change may remove the record, as it is by then", async () => {
  const kv = bucket(1, { conflicts: 2 });
  const values: (number | undefined)[] = [];
  const done = await modify<number>(kv, "k", (before) => {
    values.push(before);
    return null;
  });
  expect(done).toEqual({ key: "k", revision: 3 });
  expect(values).toEqual([1, 101, 201]);
  expect(kv.present()).toBeUndefined();
  expect(await modify<number>(kv, "k", () => null)).toBeUndefined();
});

test("races that are lost without end are an error", async () => {
  const kv = bucket(1, { conflicts: Number.POSITIVE_INFINITY });
  await expect(modify(kv, "k", () => 2)).rejects.toThrow("conflicting writes to the record k");
});
