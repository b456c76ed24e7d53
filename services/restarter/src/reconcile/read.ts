import { apiPath } from "@rollcast/kube/api-path";
import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { job } from "@rollcast/kube/workloads/job";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import type { RolloutJob } from "../decision/decision-input.ts";
import { projectWorkload } from "../index/project-workload.ts";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { patternsOf, watchedSources } from "../model/watched-sources.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { splitKey, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** Shares source reads: each source is read once. */
export type SourceReads = Map<SourceKey, Promise<SourceRecord | undefined>>;

/** Reads the record of a source once per `reads`. */
export function readSource(
  ctx: Context,
  key: SourceKey,
  reads: SourceReads,
): Promise<SourceRecord | undefined> {
  const before = reads.get(key);
  if (before !== undefined) return before;
  const read = ctx.sources
    .get(recordKey(ctx.cluster, splitSourceKey(key)))
    .then((entry) => entry?.value);
  reads.set(key, read);
  return read;
}

/** Every source that may roll the workload. */
export function candidates(ctx: Pick<Context, "names">, workload: Workload): SourceKey[] {
  const matching = patternsOf(workload).flatMap((pattern) => ctx.names.matching(pattern));
  return [...new Set([...watchedSources(workload), ...matching])];
}

/**
 * The Job of the rollout in progress. If Jobs are not watched, or this one is not in the index yet,
 * the API server is asked.
 */
export async function readRolloutJob(
  ctx: Context,
  record: WorkloadRecord | undefined,
): Promise<RolloutJob> {
  const name = record?.phase === "rolling" ? record.rollout?.job : undefined;
  if (record === undefined || name === undefined) return undefined;
  const indexed = ctx.index.last(workloadKey({ ...record, kind: job.kind, name }));
  if (indexed !== undefined) return indexed;
  try {
    const path = apiPath(job, record.namespace, name);
    const object = await ctx.kube.request<KubeObject>({ method: "GET", path });
    return projectWorkload(job, object, ctx.rules);
  } catch (err) {
    if (err instanceof KubeError && err.status === 404) return "gone";
    if (err instanceof KubeError && err.status === 403) return undefined;
    throw err;
  }
}

/** Reads the workload from the API server and updates the index; undefined if it is gone. */
export async function readWorkload(ctx: Context, key: WorkloadKey): Promise<Workload | undefined> {
  const { kind, namespace, name } = splitKey(key);
  const watchedKind = ctx.kinds.get(kind);
  if (watchedKind === undefined) return undefined;
  const before = ctx.index.last(key);
  try {
    const path = apiPath(watchedKind, namespace, name);
    const object = await ctx.kube.request<KubeObject>({ method: "GET", path });
    const workload = projectWorkload(watchedKind, object, ctx.rules);
    ctx.index.apply(workload);
    return ctx.index.get(workloadKey(workload)) ?? workload;
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    // Made again since the answer: its watch was faster.
    if (ctx.index.last(key) !== before) return ctx.index.get(key);
    ctx.index.forget(key);
    return undefined;
  }
}
