import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { recordKey } from "@rollcast/shared/subjects";
import { withApplied } from "../decision/applied.ts";
import { cancelled, started } from "../decision/outcomes.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import { ConflictError, readWorkload, retryOnConflict } from "../reconcile/evaluate.ts";
import { DONE, commit, publishOutbox, publishOutcome } from "../reconcile/reconcile.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";

type Started = WorkloadRecord & { readonly rollout: Rollout };

/**
 * Publishes and records that a rollout has begun: `next` replaces `before`; `workload` is as the
 * rollout left it. If somebody else wrote the record meanwhile, the rollout is recorded in what
 * they wrote: it was applied, whatever they knew of it. Throws {@link ConflictError} if they are
 * always faster.
 */
export async function recordStarted(
  ctx: Context,
  before: Entry<WorkloadRecord>,
  next: Started,
  workload: Workload,
): Promise<ReconcileResult> {
  await publishOutbox(ctx, before.value);
  await publishOutcome(ctx, started(next, next.rollout));
  ctx.failpoint("started-published");
  const written = { ...next, outbox: [] };
  try {
    await commit(ctx, before, written);
  } catch (err) {
    if (!(err instanceof ConflictError)) throw err;
    ctx.index.apply(workload);
    const of = { before: before.value, began: written };
    if (!(await retryOnConflict(() => recordBeside(ctx, of, workload)))) {
      // Who removed the record may not have known of this rollout. Another end has the same id.
      await publishOutcome(ctx, cancelled(written, written.rollout, "Deleted", Date.now()));
      return DONE;
    }
  }
  ctx.failpoint("rolling-written");
  // Only now: when the index has the new generation, the record must have it too.
  ctx.index.apply(workload);
  return DONE;
}

/**
 * Adds a begun rollout to the record that somebody else wrote. False where they removed it, because
 * the workload is gone.
 */
async function recordBeside(
  ctx: Context,
  of: { readonly before: WorkloadRecord; readonly began: Started },
  workload: Workload,
): Promise<boolean> {
  const present = await ctx.records.get(recordKey(ctx.cluster, of.began));
  if (present === undefined && !(await isThere(ctx, of.began))) return false;
  const at = { ...ctx, workload: ctx.index.referred(workload), now: Date.now() };
  const next =
    present !== undefined && (await isOfBefore(ctx, of, present.value))
      ? { ...of.began, outbox: present.value.outbox }
      : withApplied(at, of, present?.value);
  if (next !== undefined) await commit(ctx, present, next);
  return true;
}

/** Whether the API server has the workload, and it was not made again by others. */
async function isThere(ctx: Context, began: Started): Promise<boolean> {
  return (await readWorkload(ctx, workloadKey(began)))?.uid === began.uid;
}

/**
 * Whether a record of neither uid is of a Job that was there before: NATS was restored. Only the
 * API server says that the begun one is still there, and not made again by others.
 */
async function isOfBefore(
  ctx: Context,
  { before, began }: { readonly before: WorkloadRecord; readonly began: Started },
  written: WorkloadRecord,
): Promise<boolean> {
  if ([before.uid, began.uid].includes(written.uid)) return false;
  return isThere(ctx, began);
}
