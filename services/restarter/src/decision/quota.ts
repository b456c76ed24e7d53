import type { Change, Failures, Holder, QueueState } from "../model/control-entry.ts";

/** Bounds of unfinished rollouts; absent: none. */
export type SlotLimits = {
  readonly maxRolling?: number;
  readonly maxRollingPerNamespace?: number;
};

/** A workload that waits for a slot, by `<kind>/<namespace>/<name>`. `since` in milliseconds since the epoch. */
export type Waiter = { readonly key: string; readonly since: number };

type Rolling = QueueState["rolling"];

export function isLimited(limits: SlotLimits): boolean {
  return limits.maxRolling !== undefined || limits.maxRollingPerNamespace !== undefined;
}

function namespaceOf(key: string): string {
  return key.split("/")[1] ?? "";
}

/** Counts what holds a slot, all in all and by namespace. */
function counter(rolling: Rolling, limits: SlotLimits) {
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

/** Whether one more may begin, whoever else waits. */
export function hasRoom(rolling: Rolling, limits: SlotLimits, key: string): boolean {
  return Object.hasOwn(rolling, key) || counter(rolling, limits).hasRoom(key);
}

function isOlder(a: Waiter, b: Waiter): boolean {
  return a.since < b.since || (a.since === b.since && a.key < b.key);
}

/** Oldest first. */
export function inOrder(waiters: Iterable<Waiter>): Waiter[] {
  return [...waiters].toSorted((a, b) => (isOlder(a, b) ? -1 : 1));
}

/** Which of those who wait, oldest first, get the slots that are free; who is stopped by its namespace's bound holds up nobody of another. */
export function admitted(
  rolling: Rolling,
  limits: SlotLimits,
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

/** Whether the workload may begin now, given who waits (oldest first) and may be before it. */
export function mayStart(
  rolling: Rolling,
  limits: SlotLimits,
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
    admitted(rolling, limits, ahead).map(({ key }) => [key, NOBODY]),
  );
  return hasRoom({ ...rolling, ...before }, limits, self.key);
}

const NOBODY: Holder = { rollout: "", since: 0, changes: [] };

/** Rollouts that failed, or have stalled, though they brought nothing but what `changes` would bring too. */
export function failuresOf(failures: readonly Failures[], changes: readonly Change[]): number {
  const ids = new Set(changes.map(({ id }) => id));
  return failures
    .filter((one) => one.changes.every(({ id }) => ids.has(id)))
    .reduce((sum, one) => sum + one.rollouts.length, 0);
}

/** Of those that roll now and have not stalled, how many bring nothing but what `ids` would bring too. */
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
 * Whether the state lets a rollout begin: a slot is free, and, once rollouts of its change have failed, no more are unfinished than may still fail before
 * the rest is halted.
 */
export function mayTake(
  state: QueueState,
  limits: SlotLimits,
  wanted: { key: string; changes: readonly string[]; haltAfter: number },
): boolean {
  const { key, changes, haltAfter } = wanted;
  if (!hasRoom(state.rolling, limits, key)) return false;
  const asChanges = changes.map((id) => ({ id, source: "" }));
  const failed = failuresOf(state.failures, asChanges);
  if (failed === 0) return true;
  return failed + unfinishedOf(state, new Set(changes), key) < haltAfter;
}

/** The failures without those of changes that the source has left behind: nothing can bring them any more. */
export function withoutOutdated(
  failures: readonly Failures[],
  present: Change,
): readonly Failures[] {
  const isOutdated = ({ changes }: Failures) =>
    changes.some(({ source, id }) => source === present.source && id !== present.id);
  return failures.some(isOutdated) ? failures.filter((one) => !isOutdated(one)) : failures;
}

const MAX_ROLLOUTS = 100;
const MAX_SETS = 50;

/** The failures with one more; the same rollout counts once. The oldest sets of changes are forgotten beyond 50. */
export function withFailure(
  failures: readonly Failures[],
  changes: readonly Change[],
  rollout: string,
): readonly Failures[] {
  // A rollout that was asked for brings no change: nothing else is like it.
  if (changes.length === 0) return failures;
  const idOf = (list: readonly Change[]) =>
    list
      .map(({ id }) => id)
      .toSorted()
      .join();
  const known = failures.find((one) => idOf(one.changes) === idOf(changes));
  if (known?.rollouts.includes(rollout)) return failures;
  const rollouts = [...(known?.rollouts ?? []), rollout].slice(-MAX_ROLLOUTS);
  const others = failures.filter((one) => one !== known);
  return [...others, { changes: [...changes], rollouts }].slice(-MAX_SETS);
}

/** The failures without this rollout: it had only stalled. */
export function withoutFailure(
  failures: readonly Failures[],
  rollout: string,
): readonly Failures[] {
  if (!failures.some(({ rollouts }) => rollouts.includes(rollout))) return failures;
  return failures
    .map((one) => ({ ...one, rollouts: one.rollouts.filter((id) => id !== rollout) }))
    .filter(({ rollouts }) => rollouts.length > 0);
}
