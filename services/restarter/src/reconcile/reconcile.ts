import { recordKey } from "@rollcast/shared/subjects";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { readWorkload, evaluateFresh } from "./evaluate.ts";
import { commit } from "./commit.ts";
import { flushOutbox } from "./outbox.ts";
import { isBackingOff } from "../decision/put-off.ts";
import { splitKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";
import { finalize } from "./finalize.ts";

/**
 * What remains after the record is up to date: nothing, or a job in the queue, with the time since
 * which the content is due, if known.
 */
export type ReconcileResult =
  | { readonly roll: false }
  | { readonly roll: true; readonly since?: number };

const MAX_ATTEMPTS = 10;

/**
 * Brings the record of a workload up to date without patching: adopts, follows, ends, and publishes
 * decided events. Returns whether a rollout is due now. Later due times are in the record.
 */
export async function reconcile(ctx: Context, key: WorkloadKey): Promise<ReconcileResult> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const workload = ctx.index.get(key) ?? (await readWorkload(ctx, key));
    if (workload === undefined) {
      const { interrupted, due } = await beingRecreated(ctx, key);
      if (interrupted) return { roll: due };
    }
    if (workload === undefined || !workload.mayRoll) {
      const progress = workload !== undefined && (await isRolling(ctx, key));
      if (!progress) {
        await finalize(ctx, key);
        return { roll: false };
      }
    }
    const evaluation = await evaluateFresh(ctx, key);
    if (evaluation === undefined) continue;
    const { decision, entry } = evaluation;
    if (decision.do === "requeue") continue;
    // `pending` is written by the code that patches right after it.
    if (decision.do === "roll") return { roll: true, since: decision.record.staleSince };
    if (!decision.changed) {
      if (entry !== undefined && (await flushOutbox(ctx, entry)) === undefined) continue;
      return { roll: false };
    }
    const written = await commit(ctx, entry, decision.record);
    if (written !== undefined && (await flushOutbox(ctx, written)) !== undefined)
      return { roll: false };
  }
  return { roll: true };
}

async function isRolling(ctx: Context, key: WorkloadKey): Promise<boolean> {
  const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
  return entry?.value.phase === "rolling";
}

/**
 * Whether the workload is gone only because we deleted it to recreate it, and whether that can
 * continue now.
 */
async function beingRecreated(ctx: Context, key: WorkloadKey) {
  const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
  return {
    interrupted: entry?.value.recreate !== undefined,
    due: entry !== undefined && !isBackingOff(entry.value, clock()),
  };
}
