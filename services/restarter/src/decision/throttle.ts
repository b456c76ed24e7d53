import { ANNOTATIONS } from "@rollcast/shared/annotations";
import { parseDuration } from "@rollcast/shared/duration";
import type { WorkloadRecord } from "../model/workload-record.ts";

/** The loop breaker's settings; times in milliseconds. */
export type LoopBreaker = {
  /** Up to this many rollouts of one workload per `period` are normal; more are a loop. */
  readonly maxRollouts: number;
  readonly period: number;
  readonly minInterval: number;
  readonly maxInterval: number;
};

export type DelayReason =
  | "PausePeriod"
  | "MinInterval"
  | "Throttled"
  | "Frozen"
  | "Halted"
  | "QueuePaused"
  | "MaxRolling";

/** The rollout may start at `at` (ms since the epoch), or when a gate opens, and the reason. */
export type Delay = { readonly at?: number; readonly reason: DelayReason };

const MIN_INTERVAL = "rollcast.dev/min-interval";
const PAUSE_PERIOD = ANNOTATIONS.pausePeriod.own;
const MAX_WAIT_MS = 7 * 24 * 3_600_000;

function annotated(annotations: Readonly<Record<string, string>>, name: string): number {
  return Math.min(parseDuration(annotations[name] ?? "") ?? 0, MAX_WAIT_MS);
}

type Throttled = {
  readonly annotations: Readonly<Record<string, string>>;
  readonly templateAnnotations: Readonly<Record<string, string>>;
};

function duration(workload: Throttled, name: string): number {
  return annotated(workload.annotations, name) || annotated(workload.templateAnnotations, name);
}

/**
 * When a due rollout may start; undefined: at once.
 * - `PausePeriod` (Reloader's annotation): this long after the first change, regardless of later
 *   ones.
 * - `MinInterval`: this long after the workload's last rollout started.
 * - loop breaker: after more than `maxRollouts` in `period`, the workload's own interval applies.
 */
export function throttle(
  workload: Throttled,
  record: Pick<WorkloadRecord, "history" | "due" | "throttle">,
  breaker: LoopBreaker,
  now: number,
): Delay | undefined {
  const waits: (Delay & { at: number })[] = [];
  const last = record.history.at(-1);
  const period = duration(workload, PAUSE_PERIOD);
  if (period > 0) {
    // The period starts at the first change: later changes must not extend it.
    const began = record.due?.reason === "PausePeriod" ? (record.due.at ?? now) : now + period;
    waits.push({ at: Math.min(began, now + period), reason: "PausePeriod" });
  }
  if (last !== undefined) {
    waits.push({ at: last + duration(workload, MIN_INTERVAL), reason: "MinInterval" });
    const interval = record.throttle?.interval ?? loopInterval(record.history, breaker, now);
    if (interval !== undefined) waits.push({ at: last + interval, reason: "Throttled" });
  }
  const later = waits.filter((wait) => wait.at > now).toSorted((a, b) => b.at - a.at);
  return later[0];
}

function loopInterval(
  history: readonly number[],
  breaker: LoopBreaker,
  now: number,
): number | undefined {
  const recent = history.filter((time) => time > now - breaker.period);
  return recent.length >= breaker.maxRollouts ? breaker.minInterval : undefined;
}

/**
 * The throttle after a rollout that starts `now`: the loop breaker's interval doubles while changes
 * had to wait, halves when they did not, and ends below its minimum.
 */
export function throttleAfterStart(
  record: Pick<WorkloadRecord, "history" | "due" | "throttle">,
  breaker: LoopBreaker,
  now: number,
): Pick<WorkloadRecord, "history" | "throttle"> {
  const history = [...record.history, now].slice(-breaker.maxRollouts - 1);
  const waited = record.due?.reason === "Throttled";
  const before = record.throttle?.interval;
  if (waited) {
    const interval = Math.min((before ?? breaker.minInterval / 2) * 2, breaker.maxInterval);
    return { history, throttle: { interval } };
  }
  const halved = (before ?? 0) / 2;
  return halved >= breaker.minInterval ? { history, throttle: { interval: halved } } : { history };
}
