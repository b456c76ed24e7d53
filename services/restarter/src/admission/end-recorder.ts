import type { Queue } from "@rollcast/shared/config/queues";
import { failuresOf, withFailure, withoutFailure } from "../decision/blocking-gate.ts";
import { ROLLCAST, sourcesOf, stateKey, withFailures } from "../model/control-entry.ts";
import type { Change, QueueState } from "../model/control-entry.ts";
import { withEvent } from "../model/control-outbox.ts";
import type { QuotaStore } from "./quota-store.ts";

/**
 * How a rollout ended: whether its quota is free, which changes failed with it, and whether it no
 * longer counts as a failure.
 */
type RolloutEnd = {
  readonly key: string;
  readonly rollout: string;
  readonly releasesQuota: boolean;
  readonly failedChanges?: readonly Change[];
  readonly clearsFailure?: boolean;
};

/** The state when the rollout has ended so; the same object where that changes nothing. Pure. */
export function withEnd(before: QueueState, end: RolloutEnd): QueueState {
  const { key, rollout, releasesQuota, failedChanges, clearsFailure } = end;
  const { [key]: quotaUse, ...others } = before.rolling;
  const rolling = releasesQuota && quotaUse?.rollout === rollout ? others : before.rolling;
  const left = clearsFailure ? withoutFailure(before.failures, rollout) : before.failures;
  const isCounted = before.counted?.includes(rollout) === true;
  const counts = failedChanges !== undefined && !isCounted;
  const failures = counts ? withFailure(left, failedChanges, rollout) : left;
  if (rolling === before.rolling && failures === before.failures) return before;
  return withFailures({ ...before, rolling }, failures);
}

type Failed = {
  readonly cluster: string;
  readonly changes: readonly Change[];
  readonly haltAfter: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

/**
 * The state with the event that `changes` are halted, where so many of their rollouts failed and it
 * was not published since they went on; `before`: the state before the failure. Pure.
 */
export function withHalt(before: QueueState, state: QueueState, failed: Failed): QueueState {
  const { cluster, changes, haltAfter, now } = failed;
  const ids = changes.map(({ id }) => id).toSorted();
  const isHalted = ({ failures }: QueueState, set: readonly string[]) =>
    failuresOf(
      failures,
      set.map((id) => ({ id, source: "" })),
    ) >= haltAfter;
  const lasting = (before.halted ?? []).filter((set) => isHalted(before, set));
  const isPublished = lasting.some((set) => set.join() === ids.join());
  if (isPublished || !isHalted(state, ids)) return state;
  const { queue } = state;
  const data = {
    queue,
    by: ROLLCAST,
    sources: sourcesOf(changes),
    failed: failuresOf(state.failures, changes),
  };
  return withEvent({
    key: stateKey(cluster, queue),
    before,
    next: { ...state, halted: [...lasting, ids] },
    operation: { domain: "queue", outcome: "halted", data },
    now,
  });
}

type RecorderOptions = {
  readonly cluster: string;
  readonly quotaStore: QuotaStore;
  /** The configuration of a queue. */
  readonly fileOf: (queue: string) => Queue;
};

/**
 * Writes how a rollout ended into its queue's state, and with it the event of a halt where its
 * changes are halted by that.
 */
export function createEndRecorder({ cluster, quotaStore, fileOf }: RecorderOptions) {
  return (queue: string, end: RolloutEnd): Promise<void> => {
    const { failedChanges: changes } = end;
    const { haltAfter } = fileOf(queue);
    const record = (before: QueueState) => {
      const ended = withEnd(before, end);
      if (changes === undefined) return { state: ended, answer: undefined };
      const failed = { cluster, changes, haltAfter, now: Date.now() };
      return { state: withHalt(before, ended, failed), answer: undefined };
    };
    return quotaStore.change(queue, record, { fresh: true });
  };
}
