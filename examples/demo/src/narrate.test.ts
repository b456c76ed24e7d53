import { RollcastEvent } from "@rollcast/shared/events";
import { describe, expect, test } from "vitest";
import { clock, joinPlans, narrate, narrateDelivery } from "./narrate.ts";

const TIME = "2026-01-01T12:00:01.204Z";

function event(type: string, data: object): RollcastEvent {
  const envelope = { specversion: "1.0", id: "1", source: "/rollcast/local/watcher", time: TIME };
  return RollcastEvent.parse({ ...envelope, type: `dev.rollcast.${type}.v1`, data });
}

const config = {
  kind: "ConfigMap",
  namespace: "demo",
  name: "web-config",
  uid: "u",
  resourceVersion: "7",
  reason: "DataChanged",
  changedBy: { manager: "kubectl-edit" },
};
const keys = { added: [], changed: ["LOG_LEVEL"], removed: [] };
const web = { kind: "Deployment", namespace: "demo", name: "web", uid: "w" };
const db = { kind: "StatefulSet", namespace: "demo", name: "db", uid: "d" };

const CASES: readonly (readonly [type: string, data: object, words: string])[] = [
  [
    "source.changed",
    { ...config, changedKeys: keys },
    "ConfigMap demo/web-config changed: LOG_LEVEL (kubectl-edit)",
  ],
  [
    "source.changed",
    { ...config, changedKeys: { added: ["B"], changed: ["A"], removed: ["C"], more: 4 } },
    "ConfigMap demo/web-config changed: A, +B, -C, and 4 more (kubectl-edit)",
  ],
  [
    "source.changed",
    { ...config, changedBy: undefined, changedKeys: { ...keys, changed: [] } },
    "ConfigMap demo/web-config changed",
  ],
  [
    "source.created",
    { ...config, kind: "Secret", name: "web-secret", changedKeys: keys },
    "Secret demo/web-secret created (kubectl-edit)",
  ],
  [
    "source.deleted",
    { ...config, changedBy: undefined, changedKeys: keys },
    "ConfigMap demo/web-config deleted",
  ],
  ["rollout.planned", { workload: web }, "planned demo/web"],
  ["rollout.planned", { workload: db }, "planned StatefulSet demo/db"],
  ["rollout.started", { workload: web }, "demo/web rolled"],
  ["rollout.succeeded", { workload: web, durationMs: 2_104 }, "demo/web healthy after 2.1 s"],
  ["rollout.succeeded", { workload: web }, "demo/web healthy"],
  [
    "rollout.stalled",
    { workload: web, durationMs: 600_000 },
    "demo/web not healthy yet after 600.0 s",
  ],
  [
    "rollout.failed",
    { workload: web, durationMs: 1_000, reason: "ProgressDeadlineExceeded", message: "timed out" },
    "demo/web FAILED after 1.0 s: ProgressDeadlineExceeded, timed out",
  ],
  ["rollout.superseded", { workload: web }, "demo/web overtaken by a newer change"],
  ["rollout.cancelled", { workload: web }, "demo/web is gone"],
  ["rollout.skipped", { workload: web, reason: "Observe" }, "demo/web left alone: Observe"],
  [
    "rollout.deferred",
    { workload: web, reason: "Schedule", dueAt: TIME },
    `demo/web deferred until ${clock(Date.parse(TIME))}: Schedule`,
  ],
  ["rollout.throttled", { workload: web }, "demo/web slowed down"],
  [
    "notification.sent",
    { receiver: "webhook", notification: "n", events: [], attempts: 1 },
    "delivered to webhook",
  ],
  [
    "notification.dead",
    { receiver: "webhook", notification: "n", events: [], attempts: 5, reason: "Refused" },
    "given up on webhook after 5 attempts: Refused",
  ],
];

describe("an event in plain words", () => {
  test.each(CASES)("%s", (type, data, words) => {
    expect(narrate(event(type, data))).toBe(words);
  });
});

test("plans are joined into one line, and nothing else is", () => {
  const planned = event("rollout.planned", { workload: { ...web, name: "api" } });

  expect(joinPlans("planned demo/web", planned)).toBe("planned demo/web, demo/api");
  expect(joinPlans("planned demo/web, demo/api", planned)).toBe("planned demo/web, demo/api");
  expect(joinPlans("demo/web rolled", planned)).toBeUndefined();
  const started = event("rollout.started", { workload: web });
  expect(joinPlans("planned demo/web", started)).toBeUndefined();
});

test.each([
  [{}, "delivered to webhook (signature verified)"],
  [{ title: "Rolled out" }, 'delivered to webhook (signature verified): "Rolled out"'],
  [{ fault: "No matching signature found" }, "webhook REFUSED: No matching signature found"],
])("a delivery %j", (delivery, words) => {
  expect(narrateDelivery(delivery)).toBe(words);
});

test("the time of day has milliseconds", () => {
  const at = new Date(2026, 0, 1, 9, 5, 1, 4).getTime();
  expect(clock(at)).toBe("09:05:01.004");
});
