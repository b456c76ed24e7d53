import fc from "fast-check";
import { expect, test } from "vitest";
import { NotifierConfig } from "@rollcast/shared/config/notifier";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutOutcome } from "@rollcast/shared/events";
import { createRouter, matchesGlob } from "./router.ts";

test.each([
  { pattern: "shop", yes: ["shop"], no: ["", "shop-1", "a-shop"] },
  { pattern: "*", yes: ["", "shop"], no: [] },
  { pattern: "team-*", yes: ["team-", "team-a"], no: ["team", "a-team-b"] },
  { pattern: "*-prod", yes: ["a-prod"], no: ["prod", "a-prod-1"] },
  { pattern: "a*a", yes: ["aa", "aba"], no: ["a", "ab"] },
  { pattern: "a*b*c", yes: ["abc", "axbxc", "abbc"], no: ["acb", "ab", "ac"] },
])("$pattern matches $yes and not $no", ({ pattern, yes, no }) => {
  for (const text of yes) expect(matchesGlob(pattern, text)).toBe(true);
  for (const text of no) expect(matchesGlob(pattern, text)).toBe(false);
});

test("a pattern matches what the equivalent regular expression matches", () => {
  const letters = fc.stringMatching(/^[ab*]{0,8}$/);
  const text = fc.stringMatching(/^[ab]{0,10}$/);
  fc.assert(
    fc.property(letters, text, (pattern, value) => {
      const same = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
      expect(matchesGlob(pattern, value)).toBe(same.test(value));
    }),
    { numRuns: 2_000 },
  );
});

const hook = (name: string) => ({ name, webhook: { url: "https://hooks.example.com/" } });
const CONFIG = NotifierConfig.parse({
  receivers: [hook("ops"), hook("team-a"), hook("team-b"), { name: "nobody", none: {} }],
  route: { receiver: "ops", groupBy: ["namespace"], groupWait: "7s" },
  annotation: { namespaces: ["shop", "team-*"] },
});

function routing(notify: string[], namespace = "shop", outcome: RolloutOutcome = "failed") {
  const parts = { id: "e1", cluster: "prod", service: "restarter", time: 0 };
  const workload = { kind: "Deployment", namespace, name: "web", uid: "u" };
  return createRouter(CONFIG, "prod")(rolloutEvent(parts, outcome, { workload, notify }));
}

test.each([
  { notify: [], expected: ["ops"], refused: [] },
  { notify: ["team-a"], expected: ["ops", "team-a"], refused: [] },
  { notify: ["team-a", "team-b"], expected: ["ops", "team-a", "team-b"], refused: [] },
  { notify: ["ops"], expected: ["ops"], refused: [] },
  { notify: ["nobody"], expected: ["ops"], refused: [] },
  { notify: ["none"], expected: [], refused: [] },
  { notify: ["none", "team-a"], expected: ["team-a"], refused: [] },
  { notify: ["who"], expected: ["ops"], refused: [{ name: "who", reason: "Unknown" }] },
  {
    notify: ["none", "team-a", "who"],
    expected: ["ops", "team-a"],
    refused: [{ name: "who", reason: "Unknown" }],
  },
])("$notify sends to $expected", ({ notify, expected, refused }) => {
  const result = routing(notify);
  expect(result.memberships.map(({ receiver }) => receiver)).toEqual(expected);
  expect(result.refused).toEqual(refused);
});

test("in a namespace that is not allowed, the annotation has no effect", () => {
  const result = routing(["none", "team-a"], "other");
  expect(result.memberships.map(({ receiver }) => receiver)).toEqual(["ops"]);
  expect(result.refused).toEqual([
    { name: "team-a", reason: "NotAllowed" },
    { name: "none", reason: "NotAllowed" },
  ]);
});

test("a named receiver gets the default outcomes, grouped as the root route says, in groups of its own", () => {
  expect(routing(["team-a"], "team-x", "started").memberships).toHaveLength(1);
  const [ops, named] = routing(["team-a"], "team-x").memberships;
  expect(named).toEqual({ ...ops, receiver: "team-a", route: "annotation" });
  expect(named).toMatchObject({ labels: { namespace: "team-x" }, groupWaitMs: 7_000 });
});

test("a receiver cannot be named none", () => {
  const message = NotifierConfig.safeParse({ receivers: [hook("none")] }).error?.issues[0]?.message;
  expect(message).toContain('"none"');
});
