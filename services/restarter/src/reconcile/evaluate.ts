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

/** Reads of sources that belong together, each read once. */
export type SourceReads = Map<SourceKey, Promise<SourceRecord | undefined>>;

/** The record of a source, read once for all who ask with the same `reads`. */
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

/** Every source that may make the workload roll. */
export function candidates(ctx: Pick<Context, "names">, workload: Workload): SourceKey[] {
  const matching = patternsOf(workload).flatMap((pattern) => ctx.names.matching(pattern));
  return [...new Set([...watchedSources(workload), ...matching])];
}

/** The Job that a rollout under way has run. Where Jobs are not watched, or it is not known yet, the API server is asked. */
async function rolloutJob(ctx: Context, record: WorkloadRecord | undefined): Promise<RolloutJob> {
  const name = record?.phase === "rolling" ? record.rollout?.job : undefined;
  if (record === undefined || name === undefined) return undefined;
  const known = ctx.index.last(workloadKey({ ...record, kind: job.kind, name }));
  if (known !== undefined) return known;
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

/** A decision and what it was made on. */
export type Evaluation = {
  readonly decision: Decision;
  readonly input: DecisionInput;
  readonly entry: Entry<WorkloadRecord> | undefined;
};

/** Reads the record and the present sources of a workload and decides. Sees every write that was acknowledged before the call. */
export async function evaluate(
  ctx: Context,
  workload: Workload,
  trusted = false,
  reads: SourceReads = new Map(),
): Promise<Evaluation> {
  const keys = candidates(ctx, workload);
  const [entry, ...found] = await Promise.all([
    ctx.records.get(recordKey(ctx.cluster, workload)),
    ...keys.map((key) => readSource(ctx, key, reads)),
  ]);
  const watched = await rolloutJob(ctx, entry?.value);
  const input: DecisionInput = {
    rules: ctx.rules,
    workload,
    record: entry?.value,
    ...(watched === undefined ? {} : { job: watched }),
    sources: new Map(keys.map((key, i) => [key, found[i]])),
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

/** The workload as the API server itself says, put into the index; undefined where it is gone. */
export async function readWorkload(ctx: Context, key: WorkloadKey): Promise<Workload | undefined> {
  const { kind, namespace, name } = splitKey(key);
  const known = ctx.kinds.get(kind);
  if (known === undefined) return undefined;
  try {
    const path = apiPath(known, namespace, name);
    const object = await ctx.kube.request<KubeObject>({ method: "GET", path });
    const workload = projectWorkload(known, object, ctx.rules);
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
 * Like {@link evaluate}, and where the index is behind the record, waits for it, then asks the API server, whose word decides (a restored cluster may have
 * gone back). Undefined where the workload is gone.
 */
export async function evaluateFresh(
  ctx: Context,
  key: WorkloadKey,
): Promise<Evaluation | undefined> {
  const deadline = clock() + CATCH_UP_MS;
  for (;;) {
    const workload = ctx.index.get(key);
    const evaluation = workload === undefined ? undefined : await evaluate(ctx, workload);
    if (evaluation !== undefined && evaluation.decision.do !== "look-again") return evaluation;
    const ask = evaluation?.decision.do !== "look-again" || evaluation.decision.ask;
    const wait = deadline - clock();
    if (!ask && wait > 0 && (await ctx.index.nextChange(key, wait))) continue;
    const asked = await readWorkload(ctx, key);
    return asked === undefined ? undefined : evaluate(ctx, asked, true);
  }
}
