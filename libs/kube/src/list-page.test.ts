import { expect, test } from "vitest";
import { checkObject, selectorsOf } from "./resource.ts";
import { nextLimit } from "./list.ts";

const limits = { pageLimit: 500, pageBytes: 1_000_000, timeoutMs: 1 };

test.each([
  { name: "small objects: the whole page", count: 500, bytes: 50_000, want: 500 },
  { name: "objects of 100 kB: ten of them", count: 500, bytes: 50_000_000, want: 10 },
  { name: "objects larger than a page: one", count: 1, bytes: 3_000_000, want: 1 },
  { name: "an empty page says nothing", count: 0, bytes: 80, want: 500 },
])("$name", ({ count, bytes, want }) => {
  expect(nextLimit(limits, count, bytes)).toBe(want);
});

test("empty selectors are not sent", () => {
  const resource = { group: "", version: "v1", plural: "secrets", labelSelector: "" };

  expect(selectorsOf({ ...resource, fieldSelector: "type!=x" })).toEqual({
    fieldSelector: "type!=x",
  });
});

test.each([undefined, null, {}, { metadata: {} }, { metadata: { name: "a", uid: 1 } }])(
  "%j is no object",
  (raw) => {
    expect(() => checkObject(raw)).toThrow(expect.objectContaining({ reason: "Garbage" }));
  },
);
