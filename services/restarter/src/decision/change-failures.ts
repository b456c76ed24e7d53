import type { Change, Failures, QueueState } from "../model/control-entry.ts";
import type { QuotaLimits } from "./quota.ts";
import { hasRoom } from "./quota.ts";

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
