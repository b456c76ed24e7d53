import { apiPath } from "@rollcast/kube/api-path";
import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { job } from "@rollcast/kube/workloads/job";
import type { Entry } from "@rollcast/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import type { SourceKey } from "../model/content.ts";
import { clock, newId } from "../clock.ts";
import type { Context } from "../context.ts";
import { decide } from "../decision/decide.ts";
import type { Decision } from "../decision/decision.ts";
import type { RolloutJob, DecisionInput } from "../decision/decision-input.ts";
import { patternsOf, watchedSources } from "../model/watched-sources.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { splitKey, workloadKey } from "../model/workload.ts";
import { projectWorkload } from "../index/project-workload.ts";
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
  const [kind = "", namespace = "", name = ""] = key.split("/");
  const read = ctx.sources
    .get(recordKey(ctx.cluster, { kind, namespace, name }))
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
async function rolloutJob(ctx: Context, record: WorkloadRecord | undefined): Promise<RolloutJob> {
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

/** A decision and the input it was based on. */
export type Evaluation = {
  readonly decision: Decision;
  readonly input: DecisionInput;
  readonly entry: Entry<WorkloadRecord> | undefined;
};

/**
 * Reads the record and the present sources of a workload and decides. Sees every write acknowledged
 * before the call.
 */
export async function evaluate(
  ctx: Context,
  workload: Workload,
  trusted = false,
  reads: SourceReads = new Map(),
): Promise<Evaluation> {
  const keys = candidates(ctx, workload);
  const [entry, ...records] = await Promise.all([
    ctx.records.get(recordKey(ctx.cluster, workload)),
    ...keys.map((key) => readSource(ctx, key, reads)),
  ]);
  const watched = await rolloutJob(ctx, entry?.value);
  const input: DecisionInput = {
    rules: ctx.rules,
    workload,
    record: entry?.value,
    job: watched,
    sources: new Map(keys.map((key, i) => [key, records[i]])),
    installedAt: ctx.installedAt,
    now: clock(),
    mode: ctx.mode,
    breaker: ctx.breaker,
    stalledAfterMs: ctx.stalledAfterMs,
    affected: ctx.affected,
    newId: newId(),
    trusted,
    admission: ctx.admission.of(workload, entry?.value.staleSince),
  };
  return { decision: decide(input), input, entry };
}

/** Reads the workload from the API server and updates the index; undefined if it is gone. */
export async function readWorkload(ctx: Context, key: WorkloadKey): Promise<Workload | undefined> {
  const { kind, namespace, name } = splitKey(key);
  const watchedKind = ctx.kinds.get(kind);
  if (watchedKind === undefined) return undefined;
  try {
    const path = apiPath(watchedKind, namespace, name);
    const object = await ctx.kube.request<KubeObject>({ method: "GET", path });
    const workload = projectWorkload(watchedKind, object, ctx.rules);
    ctx.index.apply(workload);
    return ctx.index.get(workloadKey(workload)) ?? workload;
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    ctx.index.forget(key);
    return undefined;
  }
}

const CATCH_UP_MS = 2_000;

/**
 * Like {@link evaluate}, but if the index is older than the record, waits for it, then reads from
 * the API server, which decides (a restored cluster may have gone back in time). Undefined if the
 * workload is gone.
 */
export async function evaluateFresh(
  ctx: Context,
  key: WorkloadKey,
): Promise<Evaluation | undefined> {
  const deadline = clock() + CATCH_UP_MS;
  for (;;) {
    const workload = ctx.index.get(key);
    const evaluation = workload === undefined ? undefined : await evaluate(ctx, workload);
    if (evaluation !== undefined && evaluation.decision.do !== "requeue") return evaluation;
    const refetch = evaluation?.decision.do !== "requeue" || evaluation.decision.refetch;
    const wait = deadline - clock();
    if (!refetch && wait > 0 && (await ctx.index.nextChange(key, wait))) continue;
    const fresh = await readWorkload(ctx, key);
    return fresh === undefined ? undefined : evaluate(ctx, fresh, true);
  }
}
