import type { Queue } from "@rollcast/shared/config/queues";
import { failuresOf, withFailure, withoutFailure } from "../decision/change-failures.ts";
import type { Change } from "../model/control-entry.ts";
import type { AdmissionOptions } from "./admission-state.ts";

/** What became of a rollout: whether its slot is free, which changes failed with it, and whether it no longer counts as a failure. */
export type Fate = {
  readonly frees: boolean;
  readonly broke?: readonly Change[] | undefined;
  readonly mends?: boolean;
};

/** Writes what became of a rollout into its queue's state, and tells where that halts its changes. */
export function createFateWriter(
  { quotaStore, halted }: Pick<AdmissionOptions, "quotaStore" | "halted">,
  fileOf: (queue: string) => Queue,
): (queue: string, key: string, rollout: string, fate: Fate) => Promise<void> {
  return async (queue, key, rollout, fate) => {
    const { frees, broke, mends } = fate;
    const answer = await quotaStore.change(
      queue,
      (before) => {
        const { [key]: holder, ...others } = before.rolling;
        const rolling = frees && holder?.rollout === rollout ? others : before.rolling;
        const left = mends ? withoutFailure(before.failures, rollout) : before.failures;
        const failures = broke === undefined ? left : withFailure(left, broke, rollout);
        const same = rolling === before.rolling && failures === before.failures;
        return {
          state: same ? before : { ...before, rolling, failures: [...failures] },
          answer: broke === undefined ? 0 : failuresOf(failures, broke),
        };
      },
      { fresh: true },
    );
    if (broke !== undefined && answer >= fileOf(queue).haltAfter) {
      await halted(queue, broke, answer);
    }
  };
}
