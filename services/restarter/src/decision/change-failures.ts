import type { Change, Failures, QueueState } from "../model/control-entry.ts";
import type { QuotaLimits } from "./quota.ts";
import { hasRoom } from "./quota.ts";

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
