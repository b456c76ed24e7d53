import { recordKey } from "@rollcast/shared/subjects";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { isBackingOff, restOfWindow } from "../decision/put-off.ts";
import { splitKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { ConflictError, retryOnConflict } from "./conflict.ts";
import { evaluateFresh } from "./evaluate.ts";
import type { DueRollout } from "./evaluate.ts";
import { finalize } from "./finalize.ts";
import { readWorkload } from "./read.ts";
import { save } from "./save.ts";
import type { RecordEntry } from "./save.ts";

/**
 * When the workload must be reconciled again (milliseconds since the epoch), with effects; never:
 * done. What waits for longer than a window stands in the record, and the progress watch enqueues
 * it then.
 */
export type ReconcileResult = { readonly requeueAt?: number };

export const DONE: ReconcileResult = {};

/** What a reconciliation may do to the cluster. All of it throws {@link ConflictError}. */
export type Effects = {
  /** Writes and applies a decided rollout. */
  apply(due: DueRollout): Promise<ReconcileResult>;
  /** Creates the Job that was deleted for its rollout. */
  recreate(entry: RecordEntry): Promise<ReconcileResult>;
  /** Throws where the work is to end. */
  throwIfEnded(): void;
};

const CHANGES_FAST_MS = 1_000;

/**
 * Brings one workload and its record to what the present content of its sources asks for: adopts,
 * follows, ends, publishes, and with effects rolls at most once. Without effects, a rollout that is
 * due is only said to be. It is idempotent, on any replica at any time.
 */
export async function reconcile(
  ctx: Context,
  key: WorkloadKey,
  effects?: Effects,
): Promise<ReconcileResult> {
  try {
    return await retryOnConflict(() => reconcileNow(ctx, key, effects));
  } catch (err) {
    if (err instanceof ConflictError) return { requeueAt: clock() + CHANGES_FAST_MS };
    throw err;
  }
}

async function reconcileNow(
  ctx: Context,
  key: WorkloadKey,
  effects: Effects | undefined,
): Promise<ReconcileResult> {
  effects?.throwIfEnded();
  if (ctx.index.get(key)?.mayRoll !== true) {
    // The record first: a Job that is made again between the two is not gone.
    const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
    const workload = ctx.index.get(key) ?? (await readWorkload(ctx, key));
    const isFollowed = workload !== undefined && entry?.value.phase === "rolling";
    if (workload?.mayRoll !== true && !isFollowed) {
      return withoutWorkload(ctx, key, { workload, entry, effects });
    }
  }
  const { decision, entry, input } = await evaluateFresh(ctx, key);
  if (decision.do === "roll") {
    if (effects !== undefined) return effects.apply({ decision, entry, input });
    // `pending` is written by the code that patches right after it.
    return atWindowEnd(ctx, input.workload, decision.record.staleSince);
  }
  await save(ctx, entry, decision);
  return DONE;
}

type Without = {
  readonly workload: Workload | undefined;
  readonly entry: RecordEntry | undefined;
  readonly effects: Effects | undefined;
};

/** Ends the record of a workload that is gone or not opted in, unless we deleted it ourselves. */
async function withoutWorkload(
  ctx: Context,
  key: WorkloadKey,
  { workload, entry, effects }: Without,
): Promise<ReconcileResult> {
  if (entry === undefined) return DONE;
  if (entry.value.recreate === undefined) await finalize(ctx, key, entry);
  // Only this record can recreate the Job; not while its content is refused.
  else if (workload === undefined && !isBackingOff(entry.value, clock())) {
    return effects === undefined ? { requeueAt: clock() } : effects.recreate(entry);
  }
  return DONE;
}

/** Content that is due is rolled at the end of the window that began when it became so. */
export function atWindowEnd(
  ctx: Context,
  workload: Workload,
  since: number | undefined,
): ReconcileResult {
  const now = clock();
  return { requeueAt: now + restOfWindow(ctx.admission.windowOf(workload), since, now) };
}
