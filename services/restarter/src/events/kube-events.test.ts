import { deployment } from "@rollcast/kube/workloads/deployment";
import { expect, test } from "vitest";
import { eventObject, kubeEventOf } from "./kube-events.ts";
import type { OutboxEvent } from "../model/workload-record.ts";

const outboxEvent = (outcome: OutboxEvent["outcome"], name = "web"): OutboxEvent => ({
  id: "0123456789abcdef",
  outcome,
  time: Date.parse("2026-01-10T12:00:00.123Z"),
  data: {
    workload: { kind: "Deployment", namespace: "shop", name, uid: "uid-1" },
    cause: {
      kind: "Secret",
      namespace: "shop",
      name: "tls",
      changedBy: { manager: "cert-manager" },
    },
    reason: "Forbidden",
    message: "quota",
    dueAt: "2026-01-10T12:10:00.000Z",
  },
});

function eventOf(outcome: OutboxEvent, instance = "pod-1") {
  const event = kubeEventOf(outcome);
  return event === undefined ? undefined : eventObject(event, deployment, instance);
}

test.each([
  {
    outcome: "started",
    type: "Normal",
    reason: "Reloaded",
    note: "Rolled by Rollcast: Secret tls changed",
  },
  {
    outcome: "failed",
    type: "Warning",
    reason: "ReloadFail",
    note: "Rollout for Secret tls failed (Forbidden): quota",
  },
  {
    outcome: "stalled",
    type: "Warning",
    reason: "ReloadStalled",
    note: "Rollout for Secret tls has not ended yet: quota",
  },
  {
    outcome: "throttled",
    type: "Warning",
    reason: "ReloadThrottled",
    note: "Secret tls changes too often, written by cert-manager: next rollout at 2026-01-10T12:10:00.000Z",
  },
] as const)("$word is recorded as $reason", ({ outcome, ...want }) => {
  expect(eventOf(outboxEvent(outcome))).toMatchObject({
    ...want,
    eventTime: "2026-01-10T12:00:00.123000Z",
    regarding: { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "uid-1" },
  });
});

test("outcomes without a reason are not recorded", () => {
  expect(eventOf(outboxEvent("planned"))).toBeUndefined();
  expect(eventOf(outboxEvent("succeeded"))).toBeUndefined();
});

test("an outcome always has the same name, within Kubernetes' limit", () => {
  const name = "w".repeat(253);
  const event = eventOf(outboxEvent("started", name));
  expect(event?.metadata.name).toBe(eventOf(outboxEvent("started", name), "x")?.metadata.name);
  expect(event?.metadata.name.length).toBeLessThanOrEqual(253);
});

test("a note is cut to the bytes that the API server takes, and the name stays a name", () => {
  const event = outboxEvent("failed", `${"w".repeat(199)}.${"w".repeat(50)}`);
  const long = { ...event, data: { ...event.data, message: "é😀".repeat(500) } };
  const object = eventOf(long);
  expect(Buffer.byteLength(object?.note ?? "")).toBeLessThanOrEqual(1_024);
  expect(object?.note).toMatch(/^Rollout for Secret tls failed \(Forbidden\): (é😀)+é?$/u);
  expect(object?.metadata.name).toBe(`${"w".repeat(199)}.${object?.metadata.name.slice(200)}`);
  expect(object?.metadata.name).not.toContain("..");
});
