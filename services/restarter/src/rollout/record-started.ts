import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { started } from "../decision/outcomes.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { commit } from "../reconcile/commit.ts";
import { publishOutcome } from "../reconcile/outbox.ts";
import type { Workload } from "../model/workload.ts";

/**
 * Publishes and records that a rollout has begun: `next` replaces `before`; `workload` is as the
 * rollout left it. False if somebody else wrote the record meanwhile.
 */
export async function recordStarted(
  ctx: Context,
  before: Entry<WorkloadRecord>,
  next: WorkloadRecord,
  workload: Workload,
): Promise<boolean> {
  for (const event of before.value.outbox) await publishOutcome(ctx, event);
  if (next.rollout !== undefined) await publishOutcome(ctx, started(next, next.rollout));
  ctx.failpoint("started-published");
  const written = await commit(ctx, before, { ...next, outbox: [] });
  if (written !== undefined) ctx.failpoint("rolling-written");
  // Only now: when the index has the new generation, the record must have it too.
  ctx.index.apply(workload);
  return written !== undefined;
}
