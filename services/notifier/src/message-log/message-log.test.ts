import fc from "fast-check";
import { expect, test } from "vitest";
import { RolloutOutcome } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData, RolloutEvent } from "@rollcast/shared/events";
import { MessageLogRecord } from "../model/message-log-record.ts";
import { applyEvents, eventsOf, replacePost, withPost, withReply } from "./message-log.ts";
import { outcomeOf } from "../message/message.ts";

const TIME = Date.parse("2026-11-23T03:00:00.000Z");
const EMPTY: MessageLogRecord = { v: 1, type: "message-log", receiver: "slack", posts: [] };
const MESSAGE = { id: "n1", labels: { namespace: "shop" } };

type EventFields = Partial<RolloutData> & { at?: number };

function event(
  outcome: RolloutOutcome,
  name: string,
  { at = 0, ...more }: EventFields = {},
): RolloutEvent {
  const workload = { kind: "Deployment", namespace: "shop", name, uid: "u" };
  const parts = { id: `${outcome}-${name}-${at}`, cluster: "prod", service: "r", time: TIME + at };
  return rolloutEvent(parts, outcome, { workload, rollout: `rollout-${name}`, ...more });
}

function posted(events: readonly RolloutEvent[]): MessageLogRecord {
  return withPost(EMPTY, MESSAGE, { channel: "C1", ts: "1.1", events, now: TIME });
}

function outcomesOf(log: MessageLogRecord): string[][] {
  return log.posts.map((post) => post.rollouts.map(({ outcome }) => outcome));
}

test("an event of a posted rollout edits its message, any other is unposted", () => {
  const log = posted([event("started", "web"), event("started", "api")]);
  const end = event("succeeded", "web", { at: 5 });
  const other = event("started", "db");
  const update = applyEvents(log, [end, other], TIME + 5);
  expect(outcomesOf(update.log)).toEqual([["started", "succeeded"]]);
  expect([...update.edits]).toEqual([[0, []]]);
  expect(update.unposted).toEqual([other]);
});

test("applying the same notification again gives the same edits", () => {
  const failure = event("failed", "web", { at: 5 });
  const once = applyEvents(posted([event("started", "web")]), [failure], TIME);
  const twice = applyEvents(once.log, [failure], TIME);
  expect(once.edits.get(0)).toEqual([failure]);
  expect(twice.edits).toEqual(once.edits);
  expect(twice.log).toEqual(once.log);
});

test.each([
  { current: "succeeded", late: "started", expected: "succeeded" },
  { current: "failed", late: "stalled", expected: "failed" },
  { current: "stalled", late: "started", expected: "stalled" },
  { current: "started", late: "planned", expected: "started" },
  { current: "stalled", late: "succeeded", expected: "succeeded" },
] as const)("$late after $current leaves it $expected", ({ current, late, expected }) => {
  const { log } = applyEvents(
    posted([event(current, "web")]),
    [event(late, "web", { at: 9 })],
    TIME,
  );
  expect(outcomesOf(log)).toEqual([[expected]]);
});

test("events without a rollout are not recorded", () => {
  const plain = event("skipped", "web");
  const { rollout: _, ...data } = plain.data;
  expect(posted([{ ...plain, data }])).toEqual(EMPTY);
});

test("posts of ended rollouts expire, posts of running ones do not", () => {
  const ended = posted([event("succeeded", "web")]);
  const open = posted([event("started", "web"), event("succeeded", "api")]);
  const later = TIME + 16 * 60_000;
  expect(applyEvents(ended, [], later).log.posts).toEqual([]);
  expect(applyEvents(open, [], later).log.posts).toHaveLength(1);
  expect(applyEvents(open, [], TIME + 25 * 3_600_000).log.posts).toEqual([]);
});

test("a reply is recorded under its notification", () => {
  const log = posted([event("started", "web")]);
  const [post] = log.posts;
  if (post === undefined) throw new Error("no post");
  const next = replacePost(log, 0, withReply(post, "n2"));
  expect(next.posts[0]?.replies).toEqual(["n2"]);
});

test("the events of a post equal the events it was made from", () => {
  const cause = {
    kind: "ConfigMap" as const,
    namespace: "shop",
    name: "web-config",
    changedKeys: { added: [], changed: ["A"], removed: [] },
    changedAt: "2026-11-23T02:59:00.000Z",
  };
  const events = [
    event("failed", "web", { cause, reason: "Forbidden", message: "no", durationMs: 5 }),
    event("succeeded", "api", { cause, affected: 2 }),
  ];
  const [post] = posted(events).posts;
  if (post === undefined) throw new Error("no post");
  expect(post.causes).toHaveLength(1);
  const uid = "";
  expect(eventsOf(post, "prod").map(({ data }) => data)).toEqual(
    events.map(({ data }) => ({ ...data, workload: { ...data.workload, uid } })),
  );
});

test("for any events, the record fits into one NATS message and holds no rollout twice", () => {
  const name = fc.nat({ max: 400 }).map((n) => `web-${n}`);
  const text = fc.string({ unit: "binary", maxLength: 300 });
  const arbitrary = fc
    .record({
      outcome: fc.constantFrom(...RolloutOutcome.options),
      name,
      reason: text,
      message: text,
    })
    .map(({ outcome, name: who, ...more }) => event(outcome, who, more));
  fc.assert(
    fc.property(fc.array(fc.array(arbitrary, { maxLength: 200 }), { maxLength: 6 }), (all) => {
      let log = EMPTY;
      for (const [i, events] of all.entries()) {
        const update = applyEvents(log, events, TIME);
        const place = { channel: "C1", ts: String(i), now: TIME };
        log = withPost(update.log, MESSAGE, { ...place, events: update.unposted });
        expect(MessageLogRecord.parse(log)).toEqual(log);
        expect(Buffer.byteLength(JSON.stringify(log))).toBeLessThan(900_000);
        const rollouts = log.posts.flatMap((post) =>
          post.rollouts.map((rollout) => rollout.rollout),
        );
        expect(new Set(rollouts).size).toBe(rollouts.length);
        for (const post of log.posts) {
          expect(eventsOf(post, "prod").map(outcomeOf)).toHaveLength(post.rollouts.length);
        }
      }
    }),
    { numRuns: 30 },
  );
});

test("a thousand long-named rollouts in many messages stay within the bound", () => {
  let log = EMPTY;
  for (let i = 0; i < 6; i++) {
    const events = Array.from({ length: 1_000 }, (_, j) =>
      event("failed", `${"n".repeat(200)}-${i}-${j}`, { message: "m".repeat(1_024) }),
    );
    const place = { channel: "C1", ts: String(i), now: TIME };
    log = withPost(log, MESSAGE, { ...place, events });
    expect(Buffer.byteLength(JSON.stringify(log))).toBeLessThan(900_000);
  }
});
