import { KubeError } from "@rollcast/kube/client";
import { FIELD_MANAGER } from "@rollcast/kube/patch";
import type { KubeObject } from "@rollcast/kube/object";
import { apiPath } from "@rollcast/kube/api-path";
import { job } from "@rollcast/kube/workloads/job";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { jobAgain, jobFrom } from "@rollcast/kube/workloads/manifest";
import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { ConflictError, isUnfinished, jobsOf, readWorkload } from "../reconcile/evaluate.ts";
import { MARKER } from "../model/content.ts";
import { commit } from "../reconcile/reconcile.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";
import { afterLastAttempt, classify, handleClassified, lookAtWorkload } from "./apply-errors.ts";
import type { Classified, Look } from "./apply-errors.ts";
import type { Applied, Attempt, Pending } from "./roll.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { addActive } from "./active-job.ts";
import { recordStarted } from "./record-started.ts";
import { jobIdOf, jobNameOf, recreatedRecord, recreation } from "../decision/applied.ts";
import { projectWorkload } from "../index/project-workload.ts";

/** NATS allows 1 MiB per message by default, and the record holds more than the manifest. */
const MAX_MANIFEST = 512 * 1_024;
/** The API server's time limit for one write, in milliseconds. */
export const WRITE_MS = 15_000;

/**
 * Runs a Job from the template of a CronJob, once even if called repeatedly. Throws
 * {@link KubeError}, and {@link ConflictError} if the CronJob is not the one decided on or must not
 * be rolled now.
 */
export async function runJob(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  { rollout }: Pending["value"],
): Promise<Applied> {
  const { namespace } = workload;
  const path = apiPath(kind, namespace, workload.name);
  const cronJob = await ctx.kube.request<KubeObject>({ method: "GET", path });
  if (cronJob.metadata.uid !== workload.uid) {
    await readWorkload(ctx, workloadKey(workload));
    throw new ConflictError("the CronJob was made again");
  }
  if (kind.hold?.(cronJob) !== undefined) {
    ctx.index.apply(projectWorkload(kind, cronJob, ctx.rules));
    throw new ConflictError("the CronJob was suspended, or one of its Jobs has begun");
  }
  const others = jobsOf(ctx, workload).filter(({ madeBy }) => madeBy !== jobIdOf(rollout));
  if (workload.exclusive === true && others.some(isUnfinished)) {
    throw new ConflictError("one of the CronJob's Jobs has begun, and is not listed yet");
  }
  const name = jobNameOf(workload, rollout);
  const marks = { marker: { name: MARKER, value: rollout.marker }, rollout: rollout.id };
  const made = await createJob(ctx, namespace, jobFrom(cronJob, name, marks));
  const projected = projectWorkload(job, made, ctx.rules);
  const ours = projected.madeBy === rollout.id && projected.owner?.name === workload.name;
  if (!ours) throw new KubeError(422, "NameTaken", "another Job has this one's name");
  const isAlone = workload.exclusive === true && projected.finished !== true;
  if (isAlone) await addActive(ctx, kind, cronJob, made);
  return { workload, rollout: { ...rollout, job: name } };
}

/**
 * Creates a Job; returns the existing one if its name is in use. Throws {@link KubeError}, also
 * where its name is said to be in use and is not.
 */
async function createJob(ctx: Context, namespace: string, body: unknown): Promise<KubeObject> {
  const { name } = (body as KubeObject).metadata;
  for (let attempt = 1; ; attempt++) {
    try {
      return await ctx.kube.request<KubeObject>({
        method: "POST",
        path: apiPath(job, namespace),
        query: { fieldManager: FIELD_MANAGER },
        body,
        timeoutMs: WRITE_MS,
      });
    } catch (err) {
      if (!(err instanceof KubeError) || err.reason !== "AlreadyExists") throw err;
      const existing = await readJob(ctx, namespace, name);
      if (existing !== undefined) return existing;
      // It has just gone; the second time, only a webhook says that it is there.
      if (attempt > 1) throw err;
    }
  }
}

/** Undefined if it is gone. */
async function readJob(
  ctx: Context,
  namespace: string,
  name: string,
): Promise<KubeObject | undefined> {
  try {
    return await ctx.kube.request<KubeObject>({
      path: apiPath(job, namespace, name),
      method: "GET",
    });
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    return undefined;
  }
}

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
    if (!(err instanceof KubeError)) throw err;
    const classified = await classify(ctx, err, () => lookAtWorkload(ctx, workload));
    // Whoever wrote the manifest before has deleted the Job, or may have.
    const isByUs = classified.look === "gone" && pending.value.recreate !== undefined;
    if (!isByUs) return notDeleted(ctx, at, attempt, { ...classified, err });
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
 * The Job still exists, or its owner has just deleted it: unless that could not be looked at, it
 * must not be recreated from the record.
 */
async function notDeleted(
  ctx: Context,
  at: Pending,
  attempt: Attempt,
  { err, reason, look }: Classified & { readonly err: KubeError },
): Promise<ReconcileResult> {
  const { recreate: kept, ...value } = at.value;
  const clean = kept === undefined || look === undefined ? at : await commit(ctx, at, value);
  const { generation } = value;
  return handleClassified(ctx, clean, attempt, { err, reason, generation });
}

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
    return { requeueAt: Date.now() + GONE_MS };
  }
  const workload = projectWorkload(job, object, ctx.rules);
  if (workload.madeBy !== kept.rollout.id) {
    // Its owner was faster: that Job began with the present content.
    ctx.index.apply(workload);
    throw new ConflictError("the owner of the Job has made it again");
  }
  ctx.failpoint("created");
  const now = Date.now();
  const next = recreatedRecord({ ...ctx, workload, now }, { ...entry.value, recreate: kept });
  return recordStarted(ctx, entry, next, workload);
}

/** The Job is deleted and not recreated: its manifest stays in the record. */
async function notMade(
  ctx: Context,
  entry: Entry<WorkloadRecord>,
  kept: Recreate,
  attempt: Attempt,
  err: unknown,
): Promise<ReconcileResult> {
  if (!(err instanceof KubeError)) throw err;
  const { recreate: _, ...value } = entry.value;
  const { reason } = await classify(ctx, err, () => lookAtNamespace(ctx, value.namespace));
  // Its namespace is gone, so nobody needs it.
  if (reason === "Conflict") await commit(ctx, entry, value);
  const rollout = recreation({ ...entry.value, recreate: kept });
  const pending = { ...entry, value: { ...entry.value, rollout } };
  const generation = kept.rollout.guard;
  if (reason === "Unavailable" && attempt.lastAttempt) {
    return afterLastAttempt(ctx, pending, { err, generation }, () => isMade(ctx, entry.value));
  }
  return handleClassified(ctx, pending, attempt, { err, reason, generation });
}

/** Only a namespace that is gone, or is going, takes a Job's place away. */
async function lookAtNamespace(ctx: Context, namespace: string): Promise<Look> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  try {
    const { metadata } = await ctx.kube.request<KubeObject>({ method: "GET", path });
    return metadata.deletionTimestamp === undefined ? "as-decided" : "gone";
  } catch (err) {
    if (err instanceof KubeError && err.status === 404) return "gone";
    throw err;
  }
}

/** Whether there is another Job of that name, whoever made it. */
async function isMade(ctx: Context, value: WorkloadRecord): Promise<boolean> {
  const present = await readWorkload(ctx, workloadKey(value));
  return present !== undefined && present.uid !== value.uid;
}
