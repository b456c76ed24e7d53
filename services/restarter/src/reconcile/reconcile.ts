import { recordKey } from "@rollcast/shared/subjects";
import { advance } from "../decision/advance.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { askCluster, assessFresh } from "./evaluate.ts";
import { cancelled } from "../decision/outcomes.ts";
import { announce, commit, flush } from "./commit.ts";
import { isPutOff } from "../rollout/apply-errors.ts";
import { splitKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";

/** What is left to do after the record is up to date: nothing, or a turn in the queue, for content that is due since a time where it is known. */
export type Settled =
  | { readonly roll: false }
  | { readonly roll: true; readonly since?: number | undefined };

const MAX_LOOKS = 10;

/**
 * Brings the record of a workload up to date without patching: adopts, follows, ends, publishes what was decided and not published. Says whether a
 * rollout is due now. What is due later stands in the record.
 */
export async function settle(ctx: Context, key: WorkloadKey): Promise<Settled> {
  for (let look = 0; look < MAX_LOOKS; look++) {
    const workload = ctx.index.get(key) ?? (await askCluster(ctx, key));
    if (workload === undefined) {
      const { interrupted, due } = await beingMadeAgain(ctx, key);
      if (interrupted) return { roll: due };
    }
    if (workload === undefined || !workload.mayRoll) {
      const following = workload !== undefined && (await isRolling(ctx, key));
      if (!following) {
        await remove(ctx, key);
        return { roll: false };
      }
    }
    const assessment = await assessFresh(ctx, key);
    if (assessment === undefined) continue;
    const { decision, entry } = assessment;
    if (decision.do === "look-again") continue;
    // Writing `pending` belongs to who patches right after it.
    if (decision.do === "roll") return { roll: true, since: decision.record.staleSince };
    if (!decision.changed) {
      if (entry !== undefined && (await flush(ctx, entry)) === undefined) continue;
      return { roll: false };
    }
    const written = await commit(ctx, entry, decision.record);
    if (written !== undefined && (await flush(ctx, written)) !== undefined) return { roll: false };
  }
  return { roll: true };
}

async function isRolling(ctx: Context, key: WorkloadKey): Promise<boolean> {
  const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
  return entry?.value.phase === "rolling";
}

/** Whether the workload is gone only because we deleted it to make it again, and whether that can be gone on with now. */
async function beingMadeAgain(ctx: Context, key: WorkloadKey) {
  const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
  return {
    interrupted: entry?.value.recreate !== undefined,
    due: entry !== undefined && !isPutOff(entry.value, clock()),
  };
}

/** Removes the record of a workload that is gone or no longer opted in; the end of a rollout that was under way is published first. */
export async function remove(ctx: Context, key: WorkloadKey): Promise<void> {
  for (let look = 0; look < MAX_LOOKS; look++) {
    const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
    if (entry === undefined) return;
    const { rollout, ...rest } = entry.value;
    // Nobody else has what the Job is made again from.
    if (entry.value.recreate !== undefined) return;
    if (entry.value.phase === "rolling" && rollout !== undefined) {
      const last = ctx.index.last(key);
      const seen = last === undefined ? entry.value : advance(entry.value, last, clock());
      if (seen.phase !== "rolling") {
        await commit(ctx, entry, seen);
        continue;
      }
      const end = cancelled(entry.value, rollout, "Deleted", clock());
      await commit(ctx, entry, { ...rest, phase: "current", outbox: [...rest.outbox, end] });
      continue;
    }
    for (const outcome of entry.value.outbox) await announce(ctx, outcome);
    if (!(await ctx.records.remove(entry.key, entry.revision))) continue;
    if (rollout !== undefined) await ctx.gates.leave(key, rollout);
    return;
  }
}
