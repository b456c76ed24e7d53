import { recordKey } from "@rollcast/shared/subjects";
import { advance } from "../decision/advance.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { cancelled } from "../decision/rollout-ends.ts";
import { commit } from "./commit.ts";
import { publishOutcome } from "./outbox.ts";
import { splitKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";

const MAX_ATTEMPTS = 10;

/**
 * Removes the record of a workload that is gone or no longer opted in, after publishing the end of
 * its rollout.
 */
export async function finalize(ctx: Context, key: WorkloadKey): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
    if (entry === undefined) return;
    const { rollout, ...rest } = entry.value;
    // Only this record can recreate the Job.
    if (entry.value.recreate !== undefined) return;
    if (entry.value.phase === "rolling" && rollout !== undefined) {
      const last = ctx.index.last(key);
      const advanced = last === undefined ? entry.value : advance(entry.value, last, clock());
      if (advanced.phase !== "rolling") {
        await commit(ctx, entry, advanced);
        continue;
      }
      const end = cancelled(entry.value, rollout, "Deleted", clock());
      await commit(ctx, entry, { ...rest, phase: "current", outbox: [...rest.outbox, end] });
      continue;
    }
    for (const outcome of entry.value.outbox) await publishOutcome(ctx, outcome);
    if (!(await ctx.records.remove(entry.key, entry.revision))) continue;
    if (rollout !== undefined) await ctx.admission.releaseQuota(key, rollout);
    return;
  }
}
