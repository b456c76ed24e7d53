import { recordKey } from "@rollcast/shared/subjects";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { readWorkload, evaluateFresh } from "./evaluate.ts";
import { commit } from "./commit.ts";
import { flushOutbox } from "./outbox.ts";
import { isBackingOff } from "../decision/put-off.ts";
import { splitKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";
import { remove } from "./finalize.ts";

/** What is left to do after the record is up to date: nothing, or a turn in the queue, for content that is due since a time where it is known. */
export type ReconcileResult =
  | { readonly roll: false }
  | { readonly roll: true; readonly since?: number | undefined };

const MAX_ATTEMPTS = 10;

/**
 * Brings the record of a workload up to date without patching: adopts, follows, ends, publishes what was decided and not published. Says whether a
 * rollout is due now. What is due later stands in the record.
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
        await remove(ctx, key);
        return { roll: false };
      }
    }
    const evaluation = await evaluateFresh(ctx, key);
    if (evaluation === undefined) continue;
    const { decision, entry } = evaluation;
    if (decision.do === "look-again") continue;
    // Writing `pending` belongs to who patches right after it.
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

/** Whether the workload is gone only because we deleted it to make it again, and whether that can be gone on with now. */
async function beingRecreated(ctx: Context, key: WorkloadKey) {
  const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
  return {
    interrupted: entry?.value.recreate !== undefined,
    due: entry !== undefined && !isBackingOff(entry.value, clock()),
  };
}
