import fc from "fast-check";
import { expect, test } from "vitest";
import {
  RollcastEvent,
  RolloutEvent,
  RolloutOutcome,
  SourceEvent,
  SourceOutcome,
  eventOutcome,
  stableId,
} from "./events.ts";
import { notificationEvent, rolloutEvent, sourceEvent } from "./event-builders.ts";
import { NotificationEvent } from "./notification-event.ts";
import type { RolloutData, SourceData } from "./events.ts";
import type { NotificationData } from "./notification-event.ts";

const parts = { id: "0123abcd", cluster: "prod", service: "watcher", time: 1_767_225_600_123 };
const source: SourceData = {
  kind: "ConfigMap",
  namespace: "shop",
  name: "web.v1",
  uid: "d4c1",
  resourceVersion: "4711",
  changedKeys: { added: ["A"], changed: ["LOG_LEVEL"], removed: [], more: 3 },
  changedBy: { manager: "kubectl-edit", time: "2026-01-01T00:00:00.000Z" },
  reason: "DataChanged",
};
const rollout: RolloutData = {
  workload: { kind: "Deployment", namespace: "shop", name: "web", uid: "77" },
  rollout: "r1",
  queue: "default",
  cause: {
    kind: "Secret",
    namespace: "shop",
    name: "db",
    changedKeys: source.changedKeys,
    changedBy: { manager: "argocd" },
    changedAt: "2026-01-01T00:00:00.000Z",
  },
  sources: 2,
  reason: "ProgressDeadlineExceeded",
  message: "too slow",
  durationMs: 1,
  changeToHealthyMs: 2,
  generation: 3,
  dueAt: "2026-01-01T00:00:00.000Z",
  notify: ["team-a"],
};
const notification: NotificationData = {
  receiver: "team-a",
  notification: "n1",
  events: ["e1"],
  attempts: 2,
  reason: "Gone",
  message: "410",
};

test.each(SourceOutcome.options)("a built source.%s event is of its schema", (outcome) => {
  const event = sourceEvent(parts, outcome, source);

  expect(SourceEvent.parse(JSON.parse(JSON.stringify(event)))).toEqual(event);
  expect(RollcastEvent.parse(event)).toEqual(event);
  expect(event).toMatchObject({
    specversion: "1.0",
    id: "0123abcd",
    source: "/rollcast/prod/watcher",
    subject: "ConfigMap/shop/web.v1",
    time: "2026-01-01T00:00:00.123Z",
    datacontenttype: "application/json",
    type: `dev.rollcast.source.${outcome}.v1`,
  });
  expect(eventOutcome(event.type)).toEqual({ domain: "source", outcome });
});

test.each(RolloutOutcome.options)("a built rollout.%s event is of its schema", (outcome) => {
  const event = rolloutEvent(parts, outcome, rollout);

  expect(RolloutEvent.parse(JSON.parse(JSON.stringify(event)))).toEqual(event);
  expect(RollcastEvent.parse(event)).toEqual(event);
  expect(event.subject).toBe("Deployment/shop/web");
  expect(eventOutcome(event.type)).toEqual({ domain: "rollout", outcome });
});

test("a rollout event needs no more than its workload", () => {
  const event = rolloutEvent(parts, "planned", { workload: rollout.workload });

  expect(RolloutEvent.parse(event)).toEqual(event);
});

test.each(["sent", "dead"] as const)(
  "a built notification.%s event is of its schema",
  (outcome) => {
    const event = notificationEvent(parts, outcome, notification);

    expect(NotificationEvent.parse(JSON.parse(JSON.stringify(event)))).toEqual(event);
    expect(RollcastEvent.parse(event)).toEqual(event);
    expect(event.subject).toBe("team-a");
    expect(eventOutcome(event.type)).toEqual({ domain: "notification", outcome });
  },
);

const many = (length: number) => Array.from({ length }, (_, i) => `k${i}`);
const sourceWith = (change: object) => ({
  ...sourceEvent(parts, "changed", source),
  data: { ...source, ...change },
});
const rolloutWith = (change: object) => ({
  ...rolloutEvent(parts, "failed", rollout),
  data: { ...rollout, ...change },
});

test.each([
  ["no specversion", { ...sourceWith({}), specversion: "0.3" }],
  ["an empty id", { ...sourceWith({}), id: "" }],
  ["a long id", { ...sourceWith({}), id: "x".repeat(129) }],
  ["a time without milliseconds", { ...sourceWith({}), time: "2026-01-01T00:00:00Z" }],
  ["a time with an offset", { ...sourceWith({}), time: "2026-01-01T00:00:00.000+01:00" }],
  ["another type", { ...sourceWith({}), type: "dev.rollcast.source.exploded.v1" }],
  ["another version", { ...sourceWith({}), type: "dev.rollcast.source.changed.v2" }],
  ["a type of another domain", { ...sourceWith({}), type: "dev.rollcast.rollout.failed.v1" }],
  ["a long traceparent", { ...sourceWith({}), traceparent: "0".repeat(129) }],
  ["another kind of source", sourceWith({ kind: "Pod" })],
  ["an empty name", sourceWith({ name: "" })],
  ["a long name", sourceWith({ name: "n".repeat(254) })],
  ["a long uid", sourceWith({ uid: "u".repeat(65) })],
  ["a long reason", sourceWith({ reason: "r".repeat(65) })],
  ["a long manager", sourceWith({ changedBy: { manager: "m".repeat(254) } })],
  ["too many key names", sourceWith({ changedKeys: { ...source.changedKeys, added: many(101) } })],
  [
    "a long key name",
    sourceWith({ changedKeys: { ...source.changedKeys, added: ["k".repeat(1_025)] } }),
  ],
  ["zero more keys", sourceWith({ changedKeys: { ...source.changedKeys, more: 0 } })],
  ["a long message", rolloutWith({ message: "m".repeat(1_025) })],
  ["a negative duration", rolloutWith({ durationMs: -1 })],
  ["half a generation", rolloutWith({ generation: 1.5 })],
  ["a rollout without its workload's uid", rolloutWith({ workload: { kind: "D", name: "n" } })],
])("an event with %s is refused", (_, event) => {
  expect(RollcastEvent.safeParse(event).success).toBe(false);
});

test("notifications are bounded", () => {
  const event = notificationEvent(parts, "sent", notification);
  const accepts = (change: object) =>
    NotificationEvent.safeParse({ ...event, data: { ...notification, ...change } }).success;

  expect(accepts({ events: many(100) })).toBe(true);
  expect(accepts({ events: many(101) })).toBe(false);
  expect(accepts({ receiver: "r".repeat(64) })).toBe(false);
  expect(accepts({ attempts: -1 })).toBe(false);
});

test("what a newer version of the same major adds is left out, not refused", () => {
  const event = { ...sourceWith({ mood: "sunny" }), extra: 1 };

  expect(SourceEvent.parse(event)).toEqual(sourceEvent(parts, "changed", source));
});

// printf of the JSON array of the parts, through sha256sum, gives the same.
test("a stable id is 32 hex digits, the same for the same parts", () => {
  expect(stableId("prod", "uid", "4711", "changed")).toBe("9977b6fc43664a812a234f85a0ec6c5a");
});

test("an id differs wherever a part or a boundary between parts differs", () => {
  const texts = fc.array(fc.string({ unit: "binary", maxLength: 4 }), { maxLength: 4 });
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      expect(stableId(...a) === stableId(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
  const variants = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], ['a","b', "c"]];
  expect(new Set(variants.map((variant) => stableId(...variant))).size).toBe(variants.length);
});
