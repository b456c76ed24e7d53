import {
  MIN_INTERVAL,
  PAUSE_PERIOD,
  annotatedDuration,
  unreadableDuration,
} from "../model/annotation-values.ts";
import type { Annotated } from "../model/annotation-values.ts";
import type { Change, Failures, QueueState, QuotaUse } from "../model/control-entry.ts";
import type { AdmissionState, Delay, LoopBreaker } from "./decision.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";

function until(at: number | undefined): { at?: number } {
  return at === undefined ? {} : { at };
}

/**
 * Why no rollout of `changes` may begin now; undefined if it may. Quota is checked last, elsewhere.
 */
export function blockingGate(
  admission: AdmissionState,
  changes: readonly Change[],
): Delay | undefined {
  const { frozen, paused, failures, haltAfter } = admission;
  if (frozen !== undefined) return { reason: "Frozen", ...until(frozen.until) };
  if (failuresOf(failures, changes) >= haltAfter) return { reason: "Halted" };
  if (paused !== undefined) return { reason: "QueuePaused", ...until(paused.until) };
  return undefined;
}

const GATES: ReadonlySet<string> = new Set(["Frozen", "Halted", "QueuePaused", "MaxRolling"]);

/** Whether a deferral for this reason waits for a gate to open, not for a time. */
export function isGate(reason: string): boolean {
  return GATES.has(reason);
}

export const INVALID_ANNOTATION = "InvalidAnnotation";

/** Whether the workload asks for a wait of its own; most do not. */
function asksToWait({ annotations, templateAnnotations }: Annotated): boolean {
  return [PAUSE_PERIOD, MIN_INTERVAL].some(
    (name) => Object.hasOwn(annotations, name) || Object.hasOwn(templateAnnotations, name),
  );
}

/**
 * When a due rollout may start; undefined: at once.
 * - `PausePeriod` (Reloader's annotation): this long after the first change, regardless of later
 *   ones.
 * - `MinInterval`: this long after the workload's last rollout started.
 * - `InvalidAnnotation`: one of these two cannot be read: until that is mended.
 * - loop breaker: after more than `maxRollouts` in `period`, the workload's own interval applies.
 */
export function throttle(
  workload: Annotated,
  record: Pick<WorkloadRecord, "history" | "due" | "throttle">,
  breaker: LoopBreaker,
  now: number,
): Delay | undefined {
  const asks = asksToWait(workload);
  const durationOf = asks ? annotatedDuration : () => 0;
  const message = asks ? unreadableDuration(workload) : undefined;
  if (message !== undefined) return { reason: INVALID_ANNOTATION, message };
  const waits: (Delay & { at: number })[] = [];
  const last = record.history.at(-1);
  const period = durationOf(workload, PAUSE_PERIOD);
  if (period > 0) {
    // The period starts at the first change: later changes must not extend it.
    const began = record.due?.reason === "PausePeriod" ? (record.due.at ?? now) : now + period;
    waits.push({ at: Math.min(began, now + period), reason: "PausePeriod" });
  }
  if (last !== undefined) {
    waits.push({ at: last + durationOf(workload, MIN_INTERVAL), reason: "MinInterval" });
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

/** Limits on unfinished rollouts; unset: no limit. */
export type QuotaLimits = {
  readonly maxRolling?: number;
  readonly maxRollingPerNamespace?: number;
};

/**
 * A workload that waits for quota, by `<kind>/<namespace>/<name>`. `since` in milliseconds since
 * the epoch.
 */
export type Waiter = { readonly key: string; readonly since: number };

type Rolling = QueueState["rolling"];

export function isLimited(limits: QuotaLimits): boolean {
  return limits.maxRolling !== undefined || limits.maxRollingPerNamespace !== undefined;
}

function namespaceOf(key: string): string {
  return key.split("/")[1] ?? "";
}

/** Counts quota in use, in total and by namespace. */
function counter(rolling: Rolling, limits: QuotaLimits) {
  const { maxRolling = Number.POSITIVE_INFINITY } = limits;
  const { maxRollingPerNamespace: perNamespace = Number.POSITIVE_INFINITY } = limits;
  const byNamespace = new Map<string, number>();
  let total = 0;
  const add = (key: string) => {
    const namespace = namespaceOf(key);
    byNamespace.set(namespace, (byNamespace.get(namespace) ?? 0) + 1);
    total += 1;
  };
  for (const key of Object.keys(rolling)) add(key);
  return {
    add,
    isFull: () => total >= maxRolling,
    hasRoom: (key: string) =>
      total < maxRolling && (byNamespace.get(namespaceOf(key)) ?? 0) < perNamespace,
  };
}

/** Whether one more may begin, regardless of waiters. */
function hasRoom(rolling: Rolling, limits: QuotaLimits, key: string): boolean {
  return Object.hasOwn(rolling, key) || counter(rolling, limits).hasRoom(key);
}

function isOlder(a: Waiter, b: Waiter): boolean {
  return a.since < b.since || (a.since === b.since && a.key < b.key);
}

/** Oldest first. */
export function inOrder(waiters: Iterable<Waiter>): Waiter[] {
  return [...waiters].toSorted((a, b) => (isOlder(a, b) ? -1 : 1));
}

/**
 * Which waiters, oldest first, get the free quota. A namespace at its limit does not block the
 * others.
 */
export function admissible(
  rolling: Rolling,
  limits: QuotaLimits,
  waiters: readonly Waiter[],
): Waiter[] {
  const count = counter(rolling, limits);
  const granted: Waiter[] = [];
  for (const waiter of waiters) {
    if (count.isFull()) break;
    if (Object.hasOwn(rolling, waiter.key) || !count.hasRoom(waiter.key)) continue;
    count.add(waiter.key);
    granted.push(waiter);
  }
  return granted;
}

/** Whether the workload may begin now, given the waiters (oldest first) ahead of it. */
export function mayStart(
  rolling: Rolling,
  limits: QuotaLimits,
  waiters: readonly Waiter[],
  self: Waiter,
): boolean {
  if (Object.hasOwn(rolling, self.key)) return true;
  const ahead: Waiter[] = [];
  for (const waiter of waiters) {
    if (!isOlder(waiter, self)) break;
    if (waiter.key !== self.key) ahead.push(waiter);
  }
  const before = Object.fromEntries(
    admissible(rolling, limits, ahead).map(({ key }) => [key, NOBODY]),
  );
  return hasRoom({ ...rolling, ...before }, limits, self.key);
}

const NOBODY: QuotaUse = { rollout: "", since: 0, changes: [] };

/** Counts failed or stalled rollouts that brought only changes which are among `changes`. */
export function failuresOf(failures: readonly Failures[], changes: readonly Change[]): number {
  const ids = new Set(changes.map(({ id }) => id));
  return failures
    .filter((failure) => failure.changes.every(({ id }) => ids.has(id)))
    .reduce((sum, failure) => sum + failure.rollouts.length, 0);
}

/** Counts running, not stalled rollouts that bring only changes which are among `ids`. */
function unfinishedOf(
  { rolling, failures }: QueueState,
  ids: ReadonlySet<string>,
  self: string,
): number {
  const stalled = new Set(failures.flatMap(({ rollouts }) => rollouts));
  return Object.entries(rolling).filter(
    ([key, { changes, rollout }]) =>
      key !== self &&
      !stalled.has(rollout) &&
      changes.length > 0 &&
      changes.every((id) => ids.has(id)),
  ).length;
}

/**
 * Whether the queue's state lets a rollout begin: quota is free, and after failures of its change
 * no more rollouts are unfinished than may still fail before the halt.
 */
export function mayReserve(
  state: QueueState,
  limits: QuotaLimits,
  wanted: { key: string; changes: readonly string[]; haltAfter: number },
): boolean {
  const { key, changes, haltAfter } = wanted;
  if (!hasRoom(state.rolling, limits, key)) return false;
  const asChanges = changes.map((id) => ({ id, source: "" }));
  const failed = failuresOf(state.failures, asChanges);
  if (failed === 0) return true;
  return failed + unfinishedOf(state, new Set(changes), key) < haltAfter;
}

/** Drops failures of outdated changes: no rollout can bring them any more. */
export function withoutOutdated(
  failures: readonly Failures[],
  present: Change,
): readonly Failures[] {
  const isOutdated = ({ changes }: Failures) =>
    changes.some(({ source, id }) => source === present.source && id !== present.id);
  return failures.some(isOutdated) ? failures.filter((failure) => !isOutdated(failure)) : failures;
}

const MAX_ROLLOUTS = 100;
const MAX_SETS = 50;

/** Adds a failure, counting each rollout once. Keeps the newest 50 sets of changes. */
export function withFailure(
  failures: readonly Failures[],
  changes: readonly Change[],
  rollout: string,
): readonly Failures[] {
  // A requested rollout brings no change, so it affects no others.
  if (changes.length === 0) return failures;
  const idOf = (list: readonly Change[]) =>
    list
      .map(({ id }) => id)
      .toSorted()
      .join();
  const existing = failures.find((failure) => idOf(failure.changes) === idOf(changes));
  if (existing?.rollouts.includes(rollout)) return failures;
  const rollouts = [...(existing?.rollouts ?? []), rollout].slice(-MAX_ROLLOUTS);
  const others = failures.filter((failure) => failure !== existing);
  return [...others, { changes: [...changes], rollouts }].slice(-MAX_SETS);
}

/** Removes the failure of this rollout: it had only stalled. */
export function withoutFailure(
  failures: readonly Failures[],
  rollout: string,
): readonly Failures[] {
  if (!failures.some(({ rollouts }) => rollouts.includes(rollout))) return failures;
  return failures
    .map((failure) => ({ ...failure, rollouts: failure.rollouts.filter((id) => id !== rollout) }))
    .filter(({ rollouts }) => rollouts.length > 0);
}
