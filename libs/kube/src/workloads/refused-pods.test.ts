import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { describeRefused, lastRefused } from "./refused-pods.ts";

const SINCE = Date.parse("2026-01-01T10:00:00.700Z");

function refusal(note: string, times: object): KubeObject {
  const metadata = { name: note, uid: note, resourceVersion: "1" };
  return { kind: "Event", metadata, reason: "FailedCreate", note, ...times } as KubeObject;
}

const at = (time: string) => ({ deprecatedLastTimestamp: `2026-01-01T${time}Z` });

test.each([
  { name: "no Event", events: [], says: undefined },
  {
    name: "one from before the rollout",
    events: [refusal("old", at("09:59:59"))],
    says: undefined,
  },
  { name: "one of its own second", events: [refusal("new", at("10:00:00"))], says: "new" },
  {
    name: "the one that was seen last",
    events: [
      refusal("a", at("10:00:01")),
      refusal("b", at("10:00:09")),
      refusal("c", at("10:00:05")),
    ],
    says: "b",
  },
  {
    name: "one that goes on",
    events: [
      refusal("a", {
        eventTime: "2026-01-01T09:00:00.000000Z",
        series: { count: 9, lastObservedTime: "2026-01-01T10:00:05.123456Z" },
      }),
    ],
    says: "a",
  },
  { name: "an unreadable time", events: [refusal("a", at("yesterday"))], says: undefined },
  { name: "no note", events: [refusal("", at("10:00:09"))], says: undefined },
  {
    name: "a long note",
    events: [refusal("x".repeat(1_000), at("10:00:09"))],
    says: "x".repeat(300),
  },
])("refused pods: $name", ({ events, says }) => {
  const last = lastRefused(events);
  expect(last && describeRefused(last, SINCE)).toBe(says);
});
