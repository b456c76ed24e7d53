import type { Context } from "../context.ts";
import type { ProgressWatch } from "../reconcile/progress-watch.ts";
import type { RolloutQueues } from "./rollout-queues.ts";
import { isStateKey } from "../model/control-entry.ts";
import { startQuotaRepair } from "../operations/quota-repair.ts";
import type { Control } from "../operations/control.ts";

/** After so many milliseconds of changes in a row, one look at all of them. */
const BATCH_MS = 25;
/** How late an end that was set beforehand is noticed. */
const EXPIRE_MS = 500;

/**
 * Carries what is steered out in this replica, until disposal: limits go to Redis, whoever may go on now is asked for, what has ended is taken back, slots
 * without a rollout are freed.
 */
export function startApplyingSettings(
  ctx: Context,
  control: Control,
  parts: {
    readonly queues: RolloutQueues;
    readonly progress: ProgressWatch;
    readonly names: readonly string[];
  },
): AsyncDisposable {
  const { queues, progress, names: queueNames } = parts;
  const repair = startQuotaRepair({
    ctx,
    quotaStore: control.quotaStore,
    progress,
    queues: queueNames,
  });
  let pending: NodeJS.Timeout | undefined;
  let isSettingChanged = false;
  let last = "";
  let isStopped = false;
  const applySettings = () =>
    queues.applySettings().catch((err: unknown) => {
      ctx.logger.warn({ err }, "queue limits not set, trying again");
    });
  const enqueueDue = () => {
    pending = undefined;
    // What only changed who rolls can let nobody go on but those who wait for a slot.
    if (!isSettingChanged) return progress.enqueueAdmissible();
    isSettingChanged = false;
    void applySettings();
    progress.enqueueDue();
  };
  const schedule = (isRollingOnly: boolean) => {
    isSettingChanged ||= !isRollingOnly;
    if (!isStopped) pending ??= setTimeout(enqueueDue, BATCH_MS);
  };
  control.listen((key) => schedule(isStateKey(key)));
  const tick = () => {
    // Ends come by the clock, not by a write.
    const now = JSON.stringify(queueNames.map((name) => ctx.admission.settings(name)));
    if (now !== last) {
      repair.now();
      schedule(false);
    }
    last = now;
    void applySettings();
    control.expire().catch((err: unknown) => {
      ctx.logger.warn({ err }, "what has ended was not taken back, trying again");
    });
  };
  const timer = setInterval(tick, EXPIRE_MS);
  return {
    async [Symbol.asyncDispose]() {
      isStopped = true;
      clearInterval(timer);
      clearTimeout(pending);
      await repair[Symbol.asyncDispose]();
    },
  };
}
