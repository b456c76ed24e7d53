import type { Queue } from "@rollcast/shared/config/queues";
import { failuresOf, withFailure, withoutFailure } from "../decision/change-failures.ts";
import type { Change } from "../model/control-entry.ts";
import type { AdmissionOptions } from "./admission-state.ts";

/**
 * How a rollout ended: whether its quota is free, which changes failed with it, and whether it no
 * longer counts as a failure.
 */
export type RolloutEnd = {
  readonly releasesQuota: boolean;
  readonly failedChanges?: readonly Change[];
  readonly clearsFailure?: boolean;
};

/**
 * Writes how a rollout ended into its queue's state, and publishes an event if that halts its
 * changes.
 */
export function createEndRecorder(
  { quotaStore, halted }: Pick<AdmissionOptions, "quotaStore" | "halted">,
  fileOf: (queue: string) => Queue,
): (queue: string, key: string, rollout: string, end: RolloutEnd) => Promise<void> {
  return async (queue, key, rollout, end) => {
    const { releasesQuota, failedChanges, clearsFailure } = end;
    const answer = await quotaStore.change(
      queue,
      (before) => {
        const { [key]: quotaUse, ...others } = before.rolling;
        const rolling = releasesQuota && quotaUse?.rollout === rollout ? others : before.rolling;
        const left = clearsFailure ? withoutFailure(before.failures, rollout) : before.failures;
        const failures =
          failedChanges === undefined ? left : withFailure(left, failedChanges, rollout);
        const same = rolling === before.rolling && failures === before.failures;
        return {
          state: same ? before : { ...before, rolling, failures: [...failures] },
          answer: failedChanges === undefined ? 0 : failuresOf(failures, failedChanges),
        };
      },
      { fresh: true },
    );
    if (failedChanges !== undefined && answer >= fileOf(queue).haltAfter) {
      await halted(queue, failedChanges, answer);
    }
  };
}
