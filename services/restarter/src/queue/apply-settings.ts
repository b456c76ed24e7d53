import type { Context } from "../context.ts";
import type { ProgressWatch } from "../reconcile/progress-watch.ts";
import type { RolloutQueues } from "./rollout-queues.ts";
import { isStateKey } from "../model/control-entry.ts";
import { startQuotaRepair } from "../operations/quota-repair.ts";
import type { Control } from "../operations/control.ts";

/** The delay that coalesces changes in a row, in milliseconds. */
const BATCH_MS = 25;
/** How late an expiry is noticed. */
const EXPIRE_MS = 500;

/**
 * Applies settings in this replica until disposal: sets limits in Redis, enqueues workloads that
 * may continue, removes expired settings, publishes events that a killed replica has left, releases
 * quota without a rollout.
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
      ctx.logger.warn({ err }, "setting queue limits failed, retrying");
    });
  const enqueueDue = () => {
    pending = undefined;
    // A change of the quota in use alone can admit only those that wait for quota.
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
    // Expiry comes by the clock, not by a write.
    const now = JSON.stringify(queueNames.map((name) => ctx.admission.settings(name)));
    if (now !== last) {
      repair.now();
      schedule(false);
    }
    last = now;
    void applySettings();
    control.flushOverdue();
    control.expire().catch((err: unknown) => {
      ctx.logger.warn({ err }, "removing expired settings failed, retrying");
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
