import { expect, test } from "vitest";
import type { KubeObject, ObjectMeta } from "../object.ts";
import { nameLeft, nameSome, podSelector } from "./pods.ts";

const pod = (name: string, marker?: string, more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  uid: name,
  resourceVersion: "1",
  ...(marker === undefined ? {} : { annotations: { marker } }),
  ...more,
});
const newest = { name: "marker", value: "2" };

test.each([
  {
    name: "pods of older markers and of none are left, in the order of their names",
    pods: [pod("c", "1"), pod("b", "2"), pod("a")],
    expected: "2 of 3 pods keep the old template until their owner deletes them: a, c",
  },
  {
    name: "pods on their way out are not left",
    pods: [pod("a", "1", { deletionTimestamp: "2026-01-01T00:00:00Z" }), pod("b", "1")],
    expected: "1 of 1 pods keep the old template until their owner deletes them: b",
  },
  {
    name: "nothing is left",
    pods: [pod("a", "2")],
    expected: "no pod keeps the old template",
  },
])("$name", ({ pods, expected }) => {
  expect(nameLeft(pods, newest)).toBe(expected);
});

test("a long list of names is cut, and says how many are missing", () => {
  const names = Array.from({ length: 25 }, (_, i) => `db-${i}`);
  expect(nameSome(names.slice(0, 2))).toBe("db-0, db-1");
  expect(nameSome(names)).toMatch(/^db-0, .*, db-19 and 5 more$/);
});

test.each([
  { selector: undefined, text: undefined },
  { selector: {}, text: undefined },
  { selector: { matchLabels: { app: "web", tier: "a" } }, text: "app=web,tier=a" },
  {
    selector: {
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "tier", operator: "In", values: ["a", "b"] },
        { key: "old", operator: "DoesNotExist" },
        { key: "x", operator: "Unheard" },
      ],
    },
    text: "app=web,tier in (a,b),!old",
  },
  // A DeploymentConfig's are the labels themselves.
  { selector: { app: "web", deploymentconfig: "web" }, text: "app=web,deploymentconfig=web" },
])("the selector $selector asks for $text", ({ selector, text }) => {
  const metadata = { name: "web", uid: "u", resourceVersion: "1" };
  expect(podSelector({ kind: "Any", metadata, spec: { selector } } as KubeObject)).toBe(text);
});
