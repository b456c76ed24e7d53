import { describe, expect, test } from "vitest";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import { decide } from "./decide.ts";
import { throttle, throttleAfterStart } from "./blocking-gate.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";

const breaker = { maxRollouts: 20, period: 600_000, minInterval: 10_000, maxInterval: 900_000 };
const NOW = 10_000_000;
type State = Pick<WorkloadRecord, "history" | "due" | "throttle">;
const plain = (annotations: Record<string, string> = {}) => ({
  annotations,
  templateAnnotations: {},
});
const times = (count: number, apart: number, last = NOW - 1_000) =>
  Array.from({ length: count }, (_, i) => last - (count - 1 - i) * apart);

describe("throttle", () => {
  test.each<{ name: string; annotations?: Record<string, string>; state: State; want: unknown }>([
    { name: "nothing waits without a reason", state: { history: [] }, want: undefined },
    {
      name: "min-interval counts from the last start",
      annotations: { "rollcast.dev/min-interval": "1m" },
      state: { history: [NOW - 20_000] },
      want: { at: NOW + 40_000, reason: "MinInterval" },
    },
    {
      name: "min-interval that has passed does not wait",
      annotations: { "rollcast.dev/min-interval": "1m" },
      state: { history: [NOW - 60_000] },
      want: undefined,
    },
    {
      name: "an interval that cannot be read waits until it can",
      annotations: { "rollcast.dev/min-interval": "soon", "rollcast.dev/pause-period": "5m" },
      state: { history: [NOW - 1] },
      want: {
        reason: "InvalidAnnotation",
        message: 'rollcast.dev/min-interval: "soon" is no duration like 30s, 5m or 1h30m',
      },
    },
    {
      name: "pause-period begins with the first change",
      annotations: { "rollcast.dev/pause-period": "5m" },
      state: { history: [] },
      want: { at: NOW + 300_000, reason: "PausePeriod" },
    },
    {
      name: "pause-period is not pushed away by later changes",
      annotations: { "rollcast.dev/pause-period": "5m" },
      state: { history: [], due: { at: NOW + 100, reason: "PausePeriod", published: true } },
      want: { at: NOW + 100, reason: "PausePeriod" },
    },
    {
      name: "pause-period that has passed does not wait again",
      annotations: { "rollcast.dev/pause-period": "5m" },
      state: { history: [], due: { at: NOW, reason: "PausePeriod", published: true } },
      want: undefined,
    },
    {
      name: "19 rollouts in the period are normal",
      state: { history: times(19, 1_000) },
      want: undefined,
    },
    {
      name: "20 are a loop: the smallest interval holds",
      state: { history: times(20, 1_000) },
      want: { at: NOW + 9_000, reason: "Throttled" },
    },
    {
      name: "a throttle holds also when the period has passed",
      state: { history: [NOW - 60_000], throttle: { interval: 90_000 } },
      want: { at: NOW + 30_000, reason: "Throttled" },
    },
  ])("$name", ({ annotations, state, want }) => {
    expect(throttle(plain(annotations), state, breaker, NOW)).toEqual(want);
  });
});

describe("the loop breaker over time", () => {
  test("a source that never stops changing: the interval doubles to its largest, and what it lets through is bounded", () => {
    let state: State = { history: [] };
    let now = 0;
    const starts: number[] = [];
    // Always due: a change every 200 ms for one hour.
    while (now < 3_600_000) {
      const wait = throttle(plain(), state, breaker, now);
      if (wait === undefined) {
        state = throttleAfterStart(state, breaker, now);
        starts.push(now);
        now += 1_000;
      } else {
        state = { ...state, due: { at: wait.at, reason: wait.reason, published: true } };
        now = wait.at ?? Number.NaN;
      }
    }
    expect(starts.length).toBeLessThanOrEqual(20 + 10);
    const gaps = starts.slice(1).map((start, i) => start - (starts[i] ?? 0));
    expect(gaps.slice(19, 24)).toEqual([10_000, 10_000, 20_000, 40_000, 80_000]);
    expect(Math.max(...gaps)).toBe(900_000);
  });

  test("falls back, halving, when changes no longer have to wait", () => {
    let state: State = { history: [NOW], throttle: { interval: 40_000 } };
    const intervals: (number | undefined)[] = [];
    for (let i = 1; i <= 4; i++) {
      state = throttleAfterStart(state, breaker, NOW + i * 3_600_000);
      intervals.push(state.throttle?.interval);
    }
    expect(intervals).toEqual([20_000, 10_000, undefined, undefined]);
  });
});

test("a loop that is slowed down is reported once, also where an edit by others brings what was due", () => {
  const workload = givenWorkload({ annotations: { "rollcast.dev/auto": "true" } });
  const adopted = decide(givenSituation({ workload }));
  if (adopted.do !== "keep") throw new Error("not adopted");
  const history = Array.from({ length: 20 }, (_, i) => T0 - 20_000 + i * 1_000);
  const change = (content: string, record: WorkloadRecord, over: Partial<Workload> = {}) =>
    decide(
      givenSituation({
        workload: { ...workload, ...over },
        record,
        sources: new Map([[CFG, givenSource(content, { changedAt: T0 })]]),
      }),
    );
  const slowed = change("bb", { ...adopted.record, history });
  if (slowed.do !== "wait") throw new Error("not slowed down");
  expect(slowed.record.outbox.map(({ outcome }) => outcome)).toEqual(["throttled"]);

  const edit = { generation: 2, templateHash: "edited", editedAt: T0 + 1 };
  const edited = change("bb", { ...slowed.record, outbox: [] }, edit);
  if (edited.do !== "keep") throw new Error("not brought");
  expect(edited.record).toMatchObject({ phase: "current", throttle: { interval: 10_000 } });
  const again = change("cc", { ...edited.record, outbox: [] }, edit);
  expect(again).toMatchObject({ do: "wait", record: { outbox: [] } });
});
