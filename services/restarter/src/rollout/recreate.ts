import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { apiPath } from "@rollcast/kube/api-path";
import { job } from "@rollcast/kube/workloads/job";
import { jobAgain } from "@rollcast/kube/workloads/manifest";
import type { Context } from "../context.ts";
import { readWorkload } from "../reconcile/read.ts";
import { MARKER } from "../model/marker.ts";
import { ConflictError } from "../reconcile/conflict.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";
import { commit } from "../reconcile/save.ts";
import { isTransient, handleApplyError } from "./apply-errors.ts";
import type { Attempt, Pending } from "./attempt.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import { recreateJob } from "./recreate-job.ts";

/** NATS allows 1 MiB per message by default, and the record holds more than the manifest. */
const MAX_MANIFEST = 512 * 1_024;
const WRITE_MS = 15_000;

/**
 * Deletes a Job and recreates it under its name, with the marker of the new content. The record
 * holds its manifest from before the deletion until it exists again, so any replica can continue
 * after an interruption. Throws {@link ConflictError}.
 */
export async function recreate(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
): Promise<ReconcileResult> {
  const key = workloadKey(workload);
  const path = apiPath(job, workload.namespace, workload.name);
  let at = pending;
  try {
    const object = await ctx.kube.request<KubeObject>({ method: "GET", path });
    if (object.metadata.uid !== pending.value.uid) {
      await readWorkload(ctx, key);
      throw new ConflictError("the Job was made again");
    }
    at = await keepManifest(ctx, pending, object);
    ctx.failpoint("manifest-written");
    await deleteJob(ctx, path, pending.value.uid);
  } catch (err) {
    const gone = err instanceof KubeError && err.status === 404;
    // Whoever wrote the manifest before has deleted the Job, or may have.
    const byUs = gone && pending.value.recreate !== undefined;
    if (!byUs) return notDeleted(ctx, workload, at, attempt, err);
  }
  ctx.failpoint("deleted");
  ctx.index.forget(key);
  return recreateJob(ctx, at, attempt);
}

async function keepManifest(ctx: Context, pending: Pending, object: KubeObject): Promise<Pending> {
  const { rollout } = pending.value;
  const marks = { marker: { name: MARKER, value: rollout.marker }, rollout: rollout.id };
  const manifest = JSON.stringify(jobAgain(object, marks));
  if (Buffer.byteLength(manifest) > MAX_MANIFEST) {
    const message = `the Job's manifest is larger than ${MAX_MANIFEST} bytes, so it cannot be kept while the Job is made again`;
    throw new KubeError(413, "ManifestTooLarge", message);
  }
  return commit(ctx, pending, { ...pending.value, recreate: { manifest, rollout } });
}

function deleteJob(ctx: Context, path: string, uid: string): Promise<unknown> {
  const body = { propagationPolicy: "Background", preconditions: { uid } };
  return ctx.kube.request({ method: "DELETE", path, body, timeoutMs: WRITE_MS });
}

/**
 * The Job still exists, or its owner has just deleted it: unless the answer is unknown, it must not
 * be recreated from the record.
 */
async function notDeleted(
  ctx: Context,
  workload: Workload,
  at: Pending,
  attempt: Attempt,
  thrown: unknown,
): Promise<ReconcileResult> {
  if (!(thrown instanceof KubeError) || (isTransient(thrown) && !attempt.lastAttempt)) throw thrown;
  const { recreate: kept, ...value } = at.value;
  let clean = at;
  if (kept !== undefined && !isTransient(thrown)) {
    clean = await commit(ctx, at, value);
  }
  return handleApplyError(ctx, workload, clean, attempt, thrown);
}
