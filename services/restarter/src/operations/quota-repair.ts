import { TerminalError } from "@rollcast/shared/errors";
import { recordKey } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import type { ProgressWatch } from "../reconcile/progress-watch.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { splitKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";
import type { QuotaStore } from "../admission/quota-store.ts";
import { isLimited } from "../decision/blocking-gate.ts";

/** The interval between two quota checks. */
const REPAIR_INTERVAL_MS = 2_000;
/** At this age a rollout with quota is in the record, or its creator has crashed. */
const ORPHAN_MS = 15_000;

/** The rollout of a record that quota is kept for: not one that has stalled. */
function unfinished(record: WorkloadRecord | undefined): Rollout | undefined {
  const isUnfinished = record?.phase === "pending" || record?.phase === "rolling";
  return isUnfinished && record.rollout?.stalled !== true ? record.rollout : undefined;
}

type RepairOptions = {
  readonly ctx: Context;
  readonly quotaStore: QuotaStore;
  readonly progress: ProgressWatch;
  readonly queues: readonly string[];
};

/**
 * The rollout that quota is kept for, by the record as it is now; `unknown` where that cannot be
 * read, which keeps no other workload's quota from being repaired.
 */
async function unfinishedNow(
  ctx: Context,
  key: WorkloadKey,
): Promise<Rollout | "unknown" | undefined> {
  try {
    return unfinished((await ctx.records.get(recordKey(ctx.cluster, splitKey(key))))?.value);
  } catch (err) {
    if (!(err instanceof TerminalError)) throw err;
    return "unknown";
  }
}

/**
 * Releases quota of rollouts that are not in progress: their replica was killed between two writes.
 */
async function freeOrphans(
  { ctx, quotaStore, progress }: RepairOptions,
  queue: string,
): Promise<void> {
  const quotaUses = Object.entries(ctx.admission.state(queue).rolling);
  for (const [key, quotaUse] of quotaUses as [WorkloadKey, { rollout: string; since: number }][]) {
    if (unfinished(progress.get(key))?.id === quotaUse.rollout) continue;
    if (quotaUse.since > Date.now() - ORPHAN_MS) continue;
    const rollout = await unfinishedNow(ctx, key);
    if (rollout === "unknown" || rollout?.id === quotaUse.rollout) continue;
    const isFreed = await quotaStore.change(queue, (state) => {
      const { [key]: existing, ...others } = state.rolling;
      if (existing?.rollout !== quotaUse.rollout) return { state, answer: false };
      return { state: { ...state, rolling: others }, answer: true };
    });
    if (isFreed) ctx.logger.info({ queue, workload: key }, "quota without a rollout released");
  }
}

/**
 * Assigns quota to rollouts in progress without it: they began before their queue had a limit, or
 * in another queue.
 */
async function addMissing(
  { ctx, quotaStore, progress }: RepairOptions,
  queue: string,
): Promise<void> {
  if (!isLimited(ctx.admission.settings(queue))) return;
  const { rolling } = ctx.admission.state(queue);
  for (const [key, record] of progress.all()) {
    const workload = ctx.index.get(key);
    if (unfinished(record) === undefined || Object.hasOwn(rolling, key)) continue;
    if (workload === undefined || ctx.admission.queueOf(workload) !== queue) continue;
    const rollout = await unfinishedNow(ctx, key);
    if (rollout === undefined || rollout === "unknown") continue;
    await quotaStore.change(queue, (state) => {
      if (Object.hasOwn(state.rolling, key)) return { state, answer: undefined };
      const changes = (rollout.changes ?? []).map(({ id }) => id);
      const quotaUse = { rollout: rollout.id, since: Date.now(), changes };
      return {
        state: { ...state, rolling: { ...state.rolling, [key]: quotaUse } },
        answer: undefined,
      };
    });
  }
}

/** Keeps the queues' quota consistent with the records, until disposal. */
export function startQuotaRepair(options: RepairOptions): AsyncDisposable & { now(): void } {
  const { ctx } = options;
  let running: Promise<void> | undefined;
  let isStopped = false;
  const repair = async () => {
    try {
      for (const queue of options.queues) {
        await freeOrphans(options, queue);
        await addMissing(options, queue);
      }
    } catch (err) {
      ctx.logger.warn({ err }, "quota repair failed, retrying");
    }
    running = undefined;
  };
  const now = () => {
    if (!isStopped) running ??= repair();
  };
  const timer = setInterval(now, REPAIR_INTERVAL_MS);
  return {
    now,
    async [Symbol.asyncDispose]() {
      isStopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
