import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { apiPath } from "@rollcast/kube/patch";
import { job } from "@rollcast/kube/workloads/job";
import { jobAgain } from "@rollcast/kube/workloads/manifest";
import { RetryLater } from "@rollcast/shared/errors";
import type { Entry } from "@rollcast/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import { begin } from "./record-started.ts";
import { createJob } from "./apply.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { askCluster } from "../reconcile/evaluate.ts";
import { MARKER } from "../model/marker.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { commit } from "../reconcile/commit.ts";
import { giveUp, isPutOff, isTransient, notCarriedOut } from "./apply-errors.ts";
import type { Attempt, Pending } from "./apply-errors.ts";
import { recreatedRecord, recreation } from "../decision/patched.ts";
import { projectWorkload, splitKey, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** NATS takes 1 MiB a message unless told, and the record holds more than the manifest. */
const MAX_MANIFEST = 512 * 1_024;
const WRITE_MS = 15_000;
const GONE_MS = 1_000;

type Recreate = NonNullable<WorkloadRecord["recreate"]>;

/**
 * Deletes a Job and makes it again under its name, with the marker of the new content. What it is made from is in the record before it is deleted and until it is
 * there again, so whoever is interrupted leaves all that is needed to whoever finds the record. False: look again.
 */
export async function recreate(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
): Promise<boolean> {
  const key = workloadKey(workload);
  const path = apiPath(job, workload.namespace, workload.name);
  let at = pending;
  try {
    const object = await ctx.kube.request<KubeObject>({ method: "GET", path });
    if (object.metadata.uid !== pending.value.uid) {
      await askCluster(ctx, key);
      return false;
    }
    const written = await keepManifest(ctx, pending, object);
    if (written === undefined) return false;
    at = written;
    ctx.step("manifest-written");
    await deleteJob(ctx, path, pending.value.uid);
  } catch (err) {
    const gone = err instanceof KubeError && err.status === 404;
    // Whoever wrote the manifest before has deleted it, or may have.
    const byUs = gone && pending.value.recreate !== undefined;
    if (!byUs) return notDeleted(ctx, workload, at, attempt, err);
  }
  ctx.step("deleted");
  ctx.index.forget(key);
  return (await makeAgain(ctx, key, attempt)) === "done";
}

async function keepManifest(
  ctx: Context,
  pending: Pending,
  object: KubeObject,
): Promise<Pending | undefined> {
  const { rollout } = pending.value;
  const marks = { marker: { name: MARKER, value: rollout.marker }, rollout: rollout.id };
  const manifest = JSON.stringify(jobAgain(object, marks));
  if (Buffer.byteLength(manifest) > MAX_MANIFEST) {
    const message = `the Job's manifest is larger than ${MAX_MANIFEST} bytes, so it cannot be kept while the Job is made again`;
    throw new KubeError(413, "ManifestTooLarge", message);
  }
  const written = await commit(ctx, pending, { ...pending.value, recreate: { manifest, rollout } });
  return written as Pending | undefined;
}

function deleteJob(ctx: Context, path: string, uid: string): Promise<unknown> {
  const body = { propagationPolicy: "Background", preconditions: { uid } };
  return ctx.kube.request({ method: "DELETE", path, body, timeoutMs: WRITE_MS });
}

/** The Job is still there, or its owner has just deleted it: unless the answer is unknown, nothing may be made again from the record. */
async function notDeleted(
  ctx: Context,
  workload: Workload,
  at: Pending,
  attempt: Attempt,
  thrown: unknown,
): Promise<boolean> {
  if (!(thrown instanceof KubeError) || (isTransient(thrown) && !attempt.lastAttempt)) throw thrown;
  const { recreate: kept, ...value } = at.value;
  let clean = at;
  if (kept !== undefined && !isTransient(thrown)) {
    const written = await commit(ctx, at, value);
    if (written === undefined) return false;
    clean = written as Pending;
  }
  return notCarriedOut(ctx, workload, clean, attempt, thrown);
}

/** Makes a Job again that was deleted for it. `none`: the record says nothing of one; `again`: look again. */
export async function makeAgain(
  ctx: Context,
  key: WorkloadKey,
  attempt: Attempt,
): Promise<"none" | "done" | "again"> {
  const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
  const kept = entry?.value.recreate;
  if (entry === undefined || kept === undefined) return "none";
  // Its deletion asks for a turn as well, which may come after this content was refused.
  if (isPutOff(entry.value, clock())) return "done";
  let object: KubeObject;
  try {
    object = await createJob(ctx, entry.value.namespace, JSON.parse(kept.manifest));
  } catch (err) {
    return notMade(ctx, entry, kept, attempt, err);
  }
  if (object.metadata.uid === entry.value.uid) {
    throw new RetryLater(GONE_MS, "the Job that was deleted is still there");
  }
  const workload = projectWorkload(job, object, ctx.rules);
  if (workload.madeBy !== kept.rollout.id) {
    // Its owner was faster: that Job began with the present content.
    ctx.index.apply(workload);
    return "again";
  }
  ctx.step("created");
  const now = clock();
  const next = recreatedRecord({ ...ctx, workload, now }, { ...entry.value, recreate: kept });
  return (await begin(ctx, entry, next, workload)) ? "done" : "again";
}

/** The Job is deleted and was not made: what it is made from stays in the record. */
async function notMade(
  ctx: Context,
  entry: Entry<WorkloadRecord>,
  kept: Recreate,
  attempt: Attempt,
  thrown: unknown,
): Promise<"done" | "again"> {
  if (!(thrown instanceof KubeError)) throw thrown;
  if (thrown.status === 404) {
    // Its namespace is gone, so nobody wants it any more.
    const { recreate: _, ...value } = entry.value;
    await commit(ctx, entry, value);
    return "again";
  }
  if (isTransient(thrown) && !attempt.lastAttempt) throw thrown;
  const rollout = recreation({ ...entry.value, recreate: kept });
  const pending = { ...entry, value: { ...entry.value, rollout } };
  return (await giveUp(ctx, kept.rollout.guard, pending, thrown)) ? "done" : "again";
}
