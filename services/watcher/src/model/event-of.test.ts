import { SourceEvent } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { expect, test } from "vitest";
import { eventOf } from "./compare.ts";

const record: SourceRecord = {
  v: 1,
  kind: "Secret",
  namespace: "shop",
  name: "db.main",
  uid: "u",
  resourceVersion: "10",
  keyId: "k",
  digests: { password: "d".repeat(32) },
  state: "pending",
  change: "changed",
  changedKeys: { added: [], changed: ["password"], removed: [] },
  changedBy: { manager: "kubectl-edit", time: "2026-11-23T05:00:00.000Z" },
  changedAt: Date.parse("2026-11-23T05:00:00.300Z"),
  changedWithin: 0,
  createdAt: 0,
  reason: "DataChanged",
  annotations: { "rollcast.dev/ignore": "true" },
};

test("an event says what changed, by whom and why, and nothing else of the object", () => {
  const due = eventOf("prod", record);

  expect(due?.subject).toBe("rollcast.v1.prod.source.changed.secret.shop.db_main");
  expect(due?.event).toMatchObject({
    type: "dev.rollcast.source.changed.v1",
    source: "/rollcast/prod/watcher",
    subject: "Secret/shop/db.main",
    time: "2026-11-23T05:00:00.300Z",
  });
  expect(due?.event.data).toEqual({
    kind: "Secret",
    namespace: "shop",
    name: "db.main",
    uid: "u",
    resourceVersion: "10",
    changedKeys: record.changedKeys,
    changedBy: record.changedBy,
    reason: "DataChanged",
  });
  expect(() => SourceEvent.parse(due?.event)).not.toThrow();
});

test("the event of a record is the same each time, and another one for another version, type or restore", () => {
  const id = (over: Partial<SourceRecord> = {}) =>
    eventOf("prod", { ...record, ...over })?.event.id;
  const ids = [
    id(),
    id({ resourceVersion: "11" }),
    id({ change: "deleted" }),
    id({ uid: "v" }),
    id({ digests: {} }),
    id({ restoredFrom: "99" }),
    eventOf("test", record)?.event.id,
  ];

  expect(id()).toBe(ids[0]);
  expect(new Set(ids).size).toBe(ids.length);
});

test("an adopted source has no event", () => {
  expect(eventOf("prod", { ...record, change: "none" })).toBeUndefined();
});
