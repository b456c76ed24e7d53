import { advanceGone } from "../decision/advance.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import type { WorkloadKey } from "../model/workload.ts";
import { ConflictError } from "./conflict.ts";
import { commit, publishOutcome } from "./save.ts";
import type { RecordEntry } from "./save.ts";

/**
 * Removes the record of a workload that is gone or no longer opted in, after publishing the end of
 * its rollout. Throws {@link ConflictError}.
 */
export async function finalize(ctx: Context, key: WorkloadKey, entry: RecordEntry): Promise<void> {
  const ended = advanceGone(entry.value, ctx.index.last(key), clock());
  const last = ended === entry.value ? entry : await commit(ctx, entry, ended);
  for (const outcome of last.value.outbox) await publishOutcome(ctx, outcome);
  if (!(await ctx.records.remove(last.key, last.revision))) {
    throw new ConflictError("the record has changed");
  }
  const { rollout } = last.value;
  if (rollout !== undefined) await ctx.admission.releaseQuota(key, rollout);
}
