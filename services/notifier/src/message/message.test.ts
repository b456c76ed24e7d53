import fc from "fast-check";
import { expect, test } from "vitest";
import { RolloutOutcome } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData, RolloutEvent } from "@rollcast/shared/events";
import { messageOf } from "./message.ts";
import type { NotificationRecord } from "../model/notification-record.ts";
import { webhookBody } from "../receivers/http-receiver.ts";

const TIME = Date.parse("2026-11-23T03:00:00.000Z");

function event(outcome: RolloutOutcome, name: string, more: Partial<RolloutData> = {}) {
  const workload = { kind: "Deployment", namespace: "shop", name, uid: "u" };
  const parts = { id: `${outcome}-${name}`, cluster: "prod", service: "restarter", time: TIME };
  return rolloutEvent(parts, outcome, { workload, ...more });
}

function record(events: RolloutEvent[]): NotificationRecord {
  return {
    v: 1,
    type: "notification",
    id: "n1",
    group: "g1",
    receiver: "hook",
    labels: { namespace: "shop" },
    events,
    createdAt: TIME,
    dueAt: TIME,
    attempts: [],
    state: "waiting",
  };
}

test("a failed rollout shows workload, cluster, reason, cause, author, time and duration", () => {
  const cause = {
    kind: "Secret" as const,
    namespace: "shop",
    name: "db",
    changedKeys: { added: ["NEW"], changed: ["PASSWORD"], removed: ["OLD"], more: 20 },
    changedBy: { manager: "kubectl-edit" },
    changedAt: "2026-11-23T02:59:00.000Z",
  };
  const failed = event("failed", "web", {
    cause,
    reason: "ProgressDeadlineExceeded",
    message: "1 of 3 pods is not ready",
    durationMs: 600_000,
    affected: 12,
  });
  const message = messageOf(record([failed]), "prod");
  expect(message).toMatchObject({
    title: "Rollout failed: Deployment shop/web (prod)",
    severity: "error",
    outcome: "failed",
  });
  expect(message.text.split("\n")).toEqual([
    "Cluster: prod",
    "Workload: Deployment shop/web",
    "Outcome: failed",
    "Reason: ProgressDeadlineExceeded: 1 of 3 pods is not ready",
    "Cause: Secret shop/db (keys: PASSWORD, +NEW, -OLD, 13 more)",
    "Changed by: kubectl-edit at 2026-11-23T02:59:00.000Z",
    "Duration: 10m",
    "Same change: 11 other workloads",
  ]);
  expect(message.next[0]).toBe("kubectl -n shop rollout status deployment/web");
});

test("many rollouts are counted, and only the first workloads are named", () => {
  const events = Array.from({ length: 500 }, (_, i) => event("succeeded", `web-${i}`));
  const message = messageOf(record(events), "prod");
  expect(message.title).toBe("Rolled out: 500 workloads (prod)");
  expect(message.text).toContain("Deployment shop/web-19, 480 more");
  expect(message.events).toHaveLength(500);
});

test("a stall and a failure look different", () => {
  const stalled = messageOf(record([event("stalled", "web")]), "prod");
  const failed = messageOf(record([event("failed", "web")]), "prod");
  expect(stalled.title).toBe("Rollout does not come to an end: Deployment shop/web (prod)");
  expect(failed.title).toBe("Rollout failed: Deployment shop/web (prod)");
  expect([stalled.severity, failed.severity]).toEqual(["warning", "error"]);
});

test.each([
  { affected: undefined, listed: 1, expected: undefined },
  { affected: 1, listed: 1, expected: "no other workload" },
  { affected: 2, listed: 1, expected: "1 other workload" },
  { affected: 12, listed: 2, expected: "10 other workloads" },
  { affected: 2, listed: 2, expected: "no others" },
  { affected: 2, listed: 3, expected: "no others" },
])("$affected affected, $listed listed: $expected", ({ affected, listed, expected }) => {
  const more = affected === undefined ? {} : { affected };
  const cause = { kind: "Secret" as const, namespace: "shop", name: "db" };
  const events = Array.from({ length: listed }, (_, i) =>
    event("failed", `web-${i}`, { cause, ...more }),
  );
  const { facts } = messageOf(record(events), "prod");
  expect(facts.find(({ name }) => name === "Same change")?.value).toBe(expected);
});

test("a group of different outcomes shows the worst first, with its commands", () => {
  const events = [event("succeeded", "web"), event("started", "api"), event("failed", "db")];
  const { text, next } = messageOf(record(events), "prod");
  expect(text.split("\n")).toEqual([
    "Cluster: prod",
    "Outcome: 1 failed, 1 started, 1 succeeded",
    "Failed: Deployment shop/db",
    "Started: Deployment shop/api",
    "Succeeded: Deployment shop/web",
  ]);
  expect(next[0]).toContain("deployment/db");
});

test("different outcomes make a mixed message of the worst severity", () => {
  const events = [event("succeeded", "web"), event("stalled", "api"), event("failed", "db")];
  expect(messageOf(record(events), "prod")).toMatchObject({ outcome: "mixed", severity: "error" });
  expect(messageOf(record(events.slice(0, 2)), "prod")).toMatchObject({ severity: "warning" });
});

test("the standard body holds everything and is the same for every attempt", () => {
  const events = [event("failed", "web"), event("failed", "api")];
  const { body, contentType } = webhookBody(messageOf(record(events), "prod"), "standard");
  expect(contentType).toBe("application/json; charset=utf-8");
  expect(webhookBody(messageOf(record(events), "prod"), "standard").body).toBe(body);
  expect(JSON.parse(body)).toMatchObject({
    type: "rollout.failed",
    timestamp: "2026-11-23T03:00:00.000Z",
    data: { id: "n1", cluster: "prod", severity: "error", group: { count: 2 }, events },
  });
});

test("no event makes an invalid body", () => {
  const text = fc.string({ unit: "binary", maxLength: 200 });
  const arbitrary = fc.record({
    outcome: fc.constantFrom(...RolloutOutcome.options),
    name: text,
    reason: text,
    message: text,
    durationMs: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 30 }), (all) => {
      const events = all.map(({ outcome, name, ...data }) => event(outcome, name, data));
      const message = messageOf(record(events), "prod");
      for (const format of ["standard", "cloudevents"] as const) {
        const { body } = webhookBody(message, format);
        expect(body.isWellFormed()).toBe(true);
        const parsed = JSON.parse(body) as { data: { events: unknown } } | unknown[];
        expect(Array.isArray(parsed) ? parsed : parsed.data.events).toEqual(events);
      }
      expect(message.title).not.toBe("");
    }),
  );
});
