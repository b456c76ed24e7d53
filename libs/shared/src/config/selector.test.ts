import { expect, test } from "vitest";
import { selectorFault } from "./scope.ts";
import { labelSelector } from "./selector.ts";

const LABELS = { app: "web", tier: "front", weight: "20", empty: "", "a.b/c": "d" };

test.each([
  ["", true],
  ["app", true],
  ["!app", false],
  ["! app", false],
  ["gone", false],
  ["!gone", true],
  ["app=web", true],
  ["app == web", true],
  ["app=api", false],
  ["app!=web", false],
  ["app != api", true],
  ["gone!=web", true],
  ["gone=", false],
  ["empty=", true],
  ["app in (api, web)", true],
  ["app in(api)", false],
  ["gone in (web)", false],
  ["gone notin (web)", true],
  ["app notin (web, api)", false],
  ["weight > 19", true],
  ["weight < 20", false],
  ["app > 1", false],
  ["a.b/c=d", true],
  ["app=web,tier in (front,back),!gone", true],
  ["app=web,tier=back", false],
])("%j selects: %s", (text, selected) => {
  if (!/\bin\(/.test(text)) expect(selectorFault(text)).toBeUndefined();
  expect(labelSelector(text)(LABELS)).toBe(selected);
});

test("an object's own properties are no labels", () => {
  expect(labelSelector("toString")({})).toBe(false);
  expect(labelSelector("constructor in (x)")({})).toBe(false);
});
