import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { FIELD_MANAGER, JSON_PATCH, guardedRestart } from "@rollcast/kube/patch";
import { apiPath } from "@rollcast/kube/api-path";
import { job } from "@rollcast/kube/workloads/job";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { jobFrom, jobName } from "@rollcast/kube/workloads/manifest";
import { stableId } from "@rollcast/shared/events";
import type { Context } from "../context.ts";
import { contentsHash } from "../decision/contents.ts";
import { ConflictError } from "../reconcile/conflict.ts";
import { readWorkload } from "../reconcile/read.ts";
import { MARKER } from "../model/marker.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { templatePatch } from "./template-patch.ts";
import { workloadKey } from "../model/workload.ts";
import { projectWorkload } from "../index/project-workload.ts";
import type { Workload } from "../model/workload.ts";
import { WRITE_MS, createJob } from "./create-job.ts";

const DIGEST_LENGTH = 10;

/** The workload and its rollout after the change was applied. */
export type Applied = { readonly workload: Workload; readonly rollout: Rollout };

type Decided = WorkloadRecord & { readonly rollout: Rollout };

/**
 * Applies the rollout of a workload, once even if called repeatedly. Throws {@link KubeError}, and
 * {@link ConflictError} if the workload is not the one decided on.
 */
export function apply(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  record: Decided,
): Promise<Applied> {
  return workload.rollBy === "job"
    ? runJob(ctx, kind, workload, record)
    : patchWorkload(ctx, kind, workload, record);
}

async function patchWorkload(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  record: Decided,
): Promise<Applied> {
  const object = await ctx.kube.request<KubeObject>({
    method: "PATCH",
    path: apiPath(kind, workload.namespace, workload.name),
    query: { fieldManager: FIELD_MANAGER },
    contentType: JSON_PATCH,
    body:
      workload.rollBy === "restart"
        ? guardedRestart(workload, record.rollout.marker)
        : templatePatch({ kind, workload, record, rules: ctx.rules }),
    timeoutMs: WRITE_MS,
  });
  return { workload: projectWorkload(kind, object, ctx.rules), rollout: record.rollout };
}

/**
 * The suffix of the Job's name for this content and rollout: content that returns is rolled again.
 */
function contentDigest({ id, wanted }: Rollout): string {
  return stableId(contentsHash(wanted), id).slice(0, DIGEST_LENGTH);
}

/**
 * Runs a Job from the template of a CronJob. Its name depends on the content, so that a retry finds
 * the Job.
 */
async function runJob(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  { rollout }: Decided,
): Promise<Applied> {
  const { namespace } = workload;
  const path = apiPath(kind, namespace, workload.name);
  const cronJob = await ctx.kube.request<KubeObject>({ method: "GET", path });
  if (cronJob.metadata.uid !== workload.uid) {
    await readWorkload(ctx, workloadKey(workload));
    throw new ConflictError("the CronJob was made again");
  }
  const name = jobName(workload.name, contentDigest(rollout));
  const marks = { marker: { name: MARKER, value: rollout.marker }, rollout: rollout.id };
  const made = await createJob(ctx, namespace, jobFrom(cronJob, name, marks));
  const projected = projectWorkload(job, made, ctx.rules);
  const ours = projected.madeBy === rollout.id && projected.owner?.name === workload.name;
  if (!ours) throw new KubeError(422, "NameTaken", "another Job has this one's name");
  return { workload, rollout: { ...rollout, job: name } };
}
