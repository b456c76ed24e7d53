import { expect, test } from "vitest";
import { isAbandoned } from "./resync.ts";
import type { NotifyRecord } from "../model/notify-record.ts";

const HOUR = 3_600_000;
const STATE = { summary: "", description: "" };
const POST = {
  notification: "n1",
  channel: "C0123ABCD",
  ts: "1.1",
  labels: {},
  createdAt: 0,
  causes: [],
  rollouts: [],
  replies: [],
};

const alert: NotifyRecord = {
  v: 1,
  type: "alert",
  receiver: "gone",
  workload: { kind: "Deployment", namespace: "shop", name: "web" },
  failed: STATE,
  stalled: STATE,
  at: 0,
};
const log: NotifyRecord = {
  v: 1,
  type: "message-log",
  receiver: "gone",
  posts: [
    { ...POST, updatedAt: 0 },
    { ...POST, updatedAt: HOUR },
  ],
};
const names: NotifyRecord = { v: 1, type: "receivers", names: [], at: 0 };

test.each([
  { name: "an alert of a receiver that is gone since a day", record: alert, hours: 25, want: true },
  { name: "one that is gone for a moment", record: alert, hours: 23, want: false },
  {
    name: "one whose receiver is there",
    record: { ...alert, receiver: "here" },
    hours: 99,
    want: false,
  },
  { name: "a message log, by its newest post", record: log, hours: 24, want: false },
  { name: "an older message log", record: log, hours: 26, want: true },
  { name: "an empty message log", record: { ...log, posts: [] }, hours: 25, want: true },
  { name: "anything else", record: names, hours: 99, want: false },
])("$name: $want", ({ record, hours, want }) => {
  expect(isAbandoned(record, new Set(["here"]), hours * HOUR + 1)).toBe(want);
});
