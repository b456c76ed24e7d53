import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { job } from "@rollcast/kube/workloads/job";
import { RetryLaterError } from "@rollcast/shared/errors";
import type { Entry } from "@rollcast/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import { recordStarted } from "./record-started.ts";
import { createJob } from "./create-job.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { commit } from "../reconcile/commit.ts";
import { recordFailure, isTransient } from "./apply-errors.ts";
import { isBackingOff } from "../decision/put-off.ts";
import type { Attempt } from "./attempt.ts";
import { recreatedRecord, recreation } from "../decision/patched.ts";
import { splitKey } from "../model/workload.ts";
import { projectWorkload } from "../index/project-workload.ts";
import type { WorkloadKey } from "../model/workload.ts";

const GONE_MS = 1_000;

type Recreate = NonNullable<WorkloadRecord["recreate"]>;

/**
 * Recreates a Job that was deleted for its rollout. `none`: the record has none; `again`: evaluate
 * again.
 */
export async function recreateJob(
  ctx: Context,
  key: WorkloadKey,
  attempt: Attempt,
): Promise<"none" | "done" | "again"> {
  const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
  const kept = entry?.value.recreate;
  if (entry === undefined || kept === undefined) return "none";
  // Its deletion also enqueues a job, which may run after this content was refused.
  if (isBackingOff(entry.value, clock())) return "done";
  let object: KubeObject;
  try {
    object = await createJob(ctx, entry.value.namespace, JSON.parse(kept.manifest));
  } catch (err) {
    return notMade(ctx, entry, kept, attempt, err);
  }
  if (object.metadata.uid === entry.value.uid) {
    throw new RetryLaterError(GONE_MS, "the Job that was deleted is still there");
  }
  const workload = projectWorkload(job, object, ctx.rules);
  if (workload.madeBy !== kept.rollout.id) {
    // Its owner was faster: that Job began with the present content.
    ctx.index.apply(workload);
    return "again";
  }
  ctx.failpoint("created");
  const now = clock();
  const next = recreatedRecord({ ...ctx, workload, now }, { ...entry.value, recreate: kept });
  return (await recordStarted(ctx, entry, next, workload)) ? "done" : "again";
}

/** The Job is deleted and not recreated: its manifest stays in the record. */
async function notMade(
  ctx: Context,
  entry: Entry<WorkloadRecord>,
  kept: Recreate,
  attempt: Attempt,
  thrown: unknown,
): Promise<"done" | "again"> {
  if (!(thrown instanceof KubeError)) throw thrown;
  if (thrown.status === 404) {
    // Its namespace is gone, so nobody needs it.
    const { recreate: _, ...value } = entry.value;
    await commit(ctx, entry, value);
    return "again";
  }
  if (isTransient(thrown) && !attempt.lastAttempt) throw thrown;
  const rollout = recreation({ ...entry.value, recreate: kept });
  const pending = { ...entry, value: { ...entry.value, rollout } };
  return (await recordFailure(ctx, kept.rollout.guard, pending, thrown)) ? "done" : "again";
}
