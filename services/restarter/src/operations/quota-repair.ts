import { TerminalError } from "@rollcast/shared/errors";
import { recordKey } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import type { ProgressWatch } from "../reconcile/progress-watch.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { splitKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";
import { UNRECORDED_QUOTA_MS } from "../admission/quota-store.ts";
import type { QuotaStore } from "../admission/quota-store.ts";
import { isLimited } from "../decision/blocking-gate.ts";

/** The interval between two quota checks. */
const REPAIR_INTERVAL_MS = 2_000;

/** The rollout of a record that quota is kept for: not one that has stalled. */
function unfinished(record: WorkloadRecord | undefined): Rollout | undefined {
  const isUnfinished = record?.phase === "pending" || record?.phase === "rolling";
  return isUnfinished && record.rollout?.stalled !== true ? record.rollout : undefined;
}

/**
 * The rollout of a record that quota is assigned to: it began, or was resumed, not too long ago.
 * One that is paused has no deadline until somebody resumes its workload.
 */
function claims(ctx: Context, record: WorkloadRecord | undefined): Rollout | undefined {
  const rollout = unfinished(record);
  const { deadline = 0, stallTimeout } = rollout ?? {};
  // It ends before quota is released for its age: what was released is not assigned again.
  const youngMs = ctx.stalledAfterMs + UNRECORDED_QUOTA_MS / 2;
  const isYoung = stallTimeout === undefined || deadline - stallTimeout > Date.now() - youngMs;
  return isYoung ? rollout : undefined;
}

type RepairOptions = {
  readonly ctx: Context;
  readonly quotaStore: QuotaStore;
  readonly progress: ProgressWatch;
  readonly queues: readonly string[];
};

/** The record as it is in the bucket; `unreadable`: what is there is of another version. */
async function recordNow(
  ctx: Context,
  key: WorkloadKey,
): Promise<WorkloadRecord | undefined | "unreadable"> {
  try {
    return (await ctx.records.get(recordKey(ctx.cluster, splitKey(key))))?.value;
  } catch (err) {
    if (err instanceof TerminalError) return "unreadable";
    throw err;
  }
}

type QuotaUse = { readonly rollout: string; readonly since: number };

/** Whether the record says that its rollout has the quota, and may keep it. */
function mayKeep(ctx: Context, record: WorkloadRecord | undefined, quotaUse: QuotaUse): boolean {
  return unfinished(record)?.id === quotaUse.rollout && isRecent(ctx, quotaUse);
}

/** Whether any rollout may still have it; with time for one that stalls to be told so first. */
function isRecent({ stalledAfterMs }: Context, { since }: QuotaUse): boolean {
  return since > Date.now() - stalledAfterMs - UNRECORDED_QUOTA_MS;
}

/** The same with the present record; a rollout that nobody can follow has it while it may last. */
async function mustRelease(ctx: Context, key: WorkloadKey, quotaUse: QuotaUse): Promise<boolean> {
  const record = await recordNow(ctx, key);
  return record === "unreadable" ? !isRecent(ctx, quotaUse) : !mayKeep(ctx, record, quotaUse);
}

/**
 * Releases quota of rollouts that are not in progress, for their replica was killed between two
 * writes, and of those that have had it for too long.
 */
async function freeOrphans(
  { ctx, quotaStore, progress }: RepairOptions,
  queue: string,
): Promise<void> {
  const quotaUses = Object.entries(ctx.admission.state(queue).rolling);
  for (const [key, quotaUse] of quotaUses as [WorkloadKey, QuotaUse][]) {
    if (mayKeep(ctx, progress.get(key), quotaUse)) continue;
    if (quotaUse.since > Date.now() - UNRECORDED_QUOTA_MS) continue;
    if (!(await mustRelease(ctx, key, quotaUse))) continue;
    const isFreed = await quotaStore.change(queue, (state) => {
      const { [key]: existing, ...others } = state.rolling;
      // Whoever stood still may look at what was released meanwhile, and taken anew.
      const isSame = existing?.rollout === quotaUse.rollout && existing.since === quotaUse.since;
      if (!isSame) return { state, answer: false };
      return { state: { ...state, rolling: others }, answer: true };
    });
    if (isFreed) ctx.logger.info({ queue, workload: key }, "unused or overdue quota released");
  }
}

/**
 * Assigns quota to rollouts in progress without it: they began before their queue had a limit or in
 * another queue, or were resumed.
 */
async function addMissing(
  { ctx, quotaStore, progress }: RepairOptions,
  queue: string,
): Promise<void> {
  if (!isLimited(ctx.admission.settings(queue))) return;
  const { rolling } = ctx.admission.state(queue);
  for (const [key, record] of progress.all()) {
    const workload = ctx.index.get(key);
    if (claims(ctx, record) === undefined || Object.hasOwn(rolling, key)) continue;
    if (workload === undefined || ctx.admission.queueOf(workload) !== queue) continue;
    const current = await recordNow(ctx, key);
    const rollout = current === "unreadable" ? undefined : claims(ctx, current);
    if (rollout === undefined) continue;
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
    for (const queue of options.queues) {
      try {
        await freeOrphans(options, queue);
        await addMissing(options, queue);
      } catch (err) {
        ctx.logger.warn({ err, queue }, "quota repair failed, retrying");
      }
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
