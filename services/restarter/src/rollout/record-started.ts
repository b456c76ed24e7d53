import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { started } from "../decision/outcomes.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";
import { ConflictError } from "../reconcile/evaluate.ts";
import { DONE, commit, publishOutcome } from "../reconcile/reconcile.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";

/**
 * Publishes and records that a rollout has begun: `next` replaces `before`; `workload` is as the
 * rollout left it. Throws {@link ConflictError} if somebody else wrote the record meanwhile.
 */
export async function recordStarted(
  ctx: Context,
  before: Entry<WorkloadRecord>,
  next: WorkloadRecord,
  workload: Workload,
): Promise<ReconcileResult> {
  for (const event of before.value.outbox) await publishOutcome(ctx, event);
  if (next.rollout !== undefined) await publishOutcome(ctx, started(next, next.rollout));
  ctx.failpoint("started-published");
  try {
    await commit(ctx, before, { ...next, outbox: [] });
  } catch (err) {
    if (err instanceof ConflictError) ctx.index.apply(workload);
    throw err;
  }
  ctx.failpoint("rolling-written");
  // Only now: when the index has the new generation, the record must have it too.
  ctx.index.apply(workload);
  return DONE;
}
