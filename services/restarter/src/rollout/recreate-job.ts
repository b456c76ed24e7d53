import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { job } from "@rollcast/kube/workloads/job";
import type { Entry } from "@rollcast/nats/kv";
import { createJob } from "./create-job.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { ConflictError } from "../reconcile/conflict.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";
import { commit } from "../reconcile/save.ts";
import { recordFailure, isTransient } from "./apply-errors.ts";
import type { Attempt } from "./attempt.ts";
import { recordStarted } from "./record-started.ts";
import { recreatedRecord, recreation } from "../decision/patched.ts";
import { projectWorkload } from "../index/project-workload.ts";

const GONE_MS = 1_000;

type Recreate = NonNullable<WorkloadRecord["recreate"]>;

/** Recreates a Job that was deleted for its rollout. Throws {@link ConflictError}. */
export async function recreateJob(
  ctx: Context,
  entry: Entry<WorkloadRecord>,
  attempt: Attempt,
): Promise<ReconcileResult> {
  const kept = entry.value.recreate;
  if (kept === undefined) throw new ConflictError("the record no longer has the Job's manifest");
  let object: KubeObject;
  try {
    object = await createJob(ctx, entry.value.namespace, JSON.parse(kept.manifest));
  } catch (err) {
    return notMade(ctx, entry, kept, attempt, err);
  }
  if (object.metadata.uid === entry.value.uid) {
    return { requeueAt: clock() + GONE_MS };
  }
  const workload = projectWorkload(job, object, ctx.rules);
  if (workload.madeBy !== kept.rollout.id) {
    // Its owner was faster: that Job began with the present content.
    ctx.index.apply(workload);
    throw new ConflictError("the owner of the Job has made it again");
  }
  ctx.failpoint("created");
  const now = clock();
  const next = recreatedRecord({ ...ctx, workload, now }, { ...entry.value, recreate: kept });
  return recordStarted(ctx, entry, next, workload);
}

/** The Job is deleted and not recreated: its manifest stays in the record. */
async function notMade(
  ctx: Context,
  entry: Entry<WorkloadRecord>,
  kept: Recreate,
  attempt: Attempt,
  thrown: unknown,
): Promise<ReconcileResult> {
  if (!(thrown instanceof KubeError)) throw thrown;
  if (thrown.status === 404) {
    // Its namespace is gone, so nobody needs it.
    const { recreate: _, ...value } = entry.value;
    await commit(ctx, entry, value);
    throw new ConflictError("the namespace of the Job is gone", { cause: thrown });
  }
  if (isTransient(thrown) && !attempt.lastAttempt) throw thrown;
  const rollout = recreation({ ...entry.value, recreate: kept });
  const pending = { ...entry, value: { ...entry.value, rollout } };
  return recordFailure(ctx, kept.rollout.guard, pending, thrown);
}
