import { expect, test } from "vitest";
import type { ObjectMeta } from "../object.ts";
import { nameSome, namesOfLeft } from "./pods.ts";

const pod = (name: string, revision: string): ObjectMeta => ({
  name,
  uid: name,
  resourceVersion: "1",
  labels: { "controller-revision-hash": revision },
});
const PODS = [pod("c", "r1"), pod("a", "r1"), pod("b", "r2")];

test.each([
  { name: "all pods are left", left: { count: 3 }, expected: ["a", "b", "c"] },
  { name: "a revision as large as what is left", left: { count: 2 }, expected: ["a", "c"] },
  { name: "the newest revision is known", left: { count: 2, revision: "r1" }, expected: ["b"] },
  { name: "no revision fits", left: { count: 4 }, expected: [] },
  {
    name: "two revisions fit",
    left: { count: 1 },
    pods: [pod("a", "r1"), pod("b", "r2"), pod("c", "r3")],
    expected: [],
  },
])("$name", ({ left, pods, expected }) => {
  expect(namesOfLeft(pods ?? PODS, { selector: "app=x", ...left })).toEqual(expected);
});

test("a long list of names is cut, and says how many are missing", () => {
  const names = Array.from({ length: 25 }, (_, i) => `db-${i}`);
  expect(nameSome(names.slice(0, 2))).toBe("db-0, db-1");
  expect(nameSome(names)).toMatch(/^db-0, .*, db-19 and 5 more$/);
});
