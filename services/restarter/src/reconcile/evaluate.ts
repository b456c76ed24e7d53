import { randomUUID } from "node:crypto";
import type { Entry } from "@rollcast/nats/kv";
import { RetryLaterError } from "@rollcast/shared/errors";
import { recordKey } from "@rollcast/shared/subjects";
import { apiPath } from "@rollcast/kube/api-path";
import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { job } from "@rollcast/kube/workloads/job";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Context } from "../context.ts";
import { contentBack, withBack } from "../decision/content-back.ts";
import type { ContentBack } from "../decision/content-back.ts";
import { decide } from "../decision/decide.ts";
import { beganAfter } from "../decision/edited-content.ts";
import type { Decision, DecisionInput } from "../decision/decision.ts";
import { jobIdOf, jobNameOf, unrecordedOf } from "../decision/applied.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { candidates, isEdited, isMadeOf, splitKey, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { projectWorkload } from "../index/project-workload.ts";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { mayHaveBegun, podsBeganAt } from "./workload-pods.ts";

/** About as long as a bucket takes to be listed. */
const GAP_MS = 250;

/** A decision and the input it was based on. */
export type Evaluation<Decided extends Decision = Decision> = {
  readonly decision: Decided;
  readonly input: DecisionInput;
  readonly entry: Entry<WorkloadRecord> | undefined;
};

/** A decision on a workload that was new enough for one. */
export type FreshEvaluation = Evaluation<Exclude<Decision, { do: "requeue" }>>;

/** A rollout that is due now. */
export type DueRollout = Evaluation<Extract<Decision, { do: "roll" }>>;

/**
 * Reads the record and the present sources of a workload and decides. Sees every write acknowledged
 * before the call. Throws {@link RetryLaterError} while the bucket `control` has a gap: whoever
 * gave the work out gives it out again, and nobody holds a place until then.
 */
export async function evaluate(
  ctx: Context,
  workload: Workload,
  trusted = false,
  reads: SourceReads = new Map(),
): Promise<Evaluation> {
  const { keys, left } = candidates(ctx.names, workload);
  const { annotationFaults } = ctx;
  if (left.length > 0 || annotationFaults.unmatched.size > 0) {
    annotationFaults.matched(workload, left);
  }
  const [entry, ...records] = await Promise.all([
    ctx.records.get(recordKey(ctx.cluster, workload)),
    ...keys.map((key) => readSource(ctx, key, reads)),
  ]);
  const watched = await readRolloutJob(ctx, entry?.value);
  const unrecorded = entry === undefined ? [] : unrecordedOf(entry.value);
  const jobs = await readJobs(ctx, workload, unrecorded);
  const given = {
    workload,
    record: entry?.value,
    sources: new Map(keys.map((key, i) => [key, records[i]])),
    installedAt: ctx.installedAt,
  };
  const isAsRecorded = entry?.value.uid === workload.uid && !isEdited(entry.value, workload);
  const since = isAsRecorded ? undefined : beganAfter(given);
  const editedAt =
    since === undefined ? workload.editedAt : await podsBeganAt(ctx, workload, since);
  // After the reads: the connection may have been lost and back in between.
  if (!ctx.admission.isSynced()) throw new RetryLaterError(GAP_MS, "bucket control has a gap");
  const input: DecisionInput = {
    ...given,
    rules: ctx.rules,
    workload: editedAt === workload.editedAt ? workload : { ...workload, editedAt },
    job: watched,
    jobs,
    now: Date.now(),
    mode: ctx.mode,
    breaker: ctx.breaker,
    stalledAfterMs: ctx.stalledAfterMs,
    affected: ctx.affected,
    newId: randomUUID(),
    trusted,
    isOrderedWith: (kind) => ctx.writeOrder.isConfirmed(kind, workload.kind),
    admission: ctx.admission.of(workload, entry?.value.staleSince),
  };
  const decision = decide(input);
  const back = decision.do === "keep" ? contentBack(input, decision.record) : undefined;
  if (decision.do === "keep" && back !== undefined) {
    if (await mayRunOther(ctx, workload, watched, back)) {
      const informed = { ...input, mixed: back.keys };
      return { decision: decide(informed), input: informed, entry };
    }
    const record = withBack(decision.record, input, back);
    return { decision: { ...decision, record, changed: true }, input, entry };
  }
  // What waits for a run may be what that has brought.
  const isDone = decision.do === "keep" && decision.record.hold === undefined;
  const made = isDone ? [] : jobsOf(ctx, workload);
  if (made.length === 0) return { decision, input, entry };
  const newestJob = newestOwn(made);
  const informed = { ...input, newestJob, isRunning: made.some(isUnfinished) };
  return { decision: decide(informed), input: informed, entry };
}

/** Whether pods of what runs, or of the Job that we ran last, may have begun with other content. */
async function mayRunOther(
  ctx: Context,
  workload: Workload,
  rolling: Workload | "gone" | undefined,
  back: ContentBack,
): Promise<boolean> {
  if (workload.rollBy !== "job") return mayHaveBegun(ctx, workload, back);
  const last =
    rolling === "gone" || rolling === undefined ? newestOwn(jobsOf(ctx, workload)) : rolling;
  return last !== undefined && mayHaveBegun(ctx, last, back);
}

function newestOwn(jobs: readonly Workload[]): Workload | undefined {
  const own = jobs.filter(({ madeBy }) => madeBy !== undefined);
  return own.toSorted((a, b) => b.createdAt - a.createdAt)[0];
}

/** The Jobs of a CronJob, whoever made them, as far as Jobs are watched; of another kind none. */
export function jobsOf({ index }: Context, workload: Workload): Workload[] {
  if (workload.rollBy !== "job") return [];
  return [...index.all()].filter((made) => made.kind === job.kind && isMadeOf(workload, made));
}

export function isUnfinished({ finished }: Workload): boolean {
  return finished !== true;
}

const CATCH_UP_MS = 2_000;

function isFresh(evaluation: Evaluation): evaluation is FreshEvaluation {
  return evaluation.decision.do !== "requeue";
}

/**
 * Like {@link evaluate}, but if the index is older than the record, waits for it, then reads from
 * the API server, which decides (a restored cluster may have gone back in time). Throws
 * {@link ConflictError} if the workload is gone.
 */
export async function evaluateFresh(ctx: Context, key: WorkloadKey): Promise<FreshEvaluation> {
  const deadline = Date.now() + CATCH_UP_MS;
  for (;;) {
    const workload = ctx.index.get(key);
    const evaluation = workload === undefined ? undefined : await evaluate(ctx, workload);
    if (evaluation !== undefined && isFresh(evaluation)) return evaluation;
    const refetch = evaluation?.decision.do !== "requeue" || evaluation.decision.refetch;
    const wait = deadline - Date.now();
    if (!refetch && wait > 0 && (await ctx.index.nextChange(key, wait))) continue;
    const present = await readWorkload(ctx, key);
    const trusted = present === undefined ? undefined : await evaluate(ctx, present, true);
    if (trusted !== undefined && isFresh(trusted)) return trusted;
    throw new ConflictError("the workload is gone");
  }
}

/**
 * What was decided on is not what is there now: somebody else wrote the record, or changed the
 * workload. The decision is dropped, and made again on what is there.
 */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** More conflicts in a row than replicas and controllers make. */
const MAX_ATTEMPTS = 20;

/** Repeats `work` while it ends in a {@link ConflictError}; throws the last one, and all others. */
export async function retryOnConflict<T>(
  work: () => Promise<T>,
  attempts = MAX_ATTEMPTS,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (err) {
      if (!(err instanceof ConflictError) || attempt === attempts) throw err;
    }
  }
}

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

/**
 * The Job of the rollout in progress. If Jobs are not watched, or this one is not in the index yet,
 * the API server is asked.
 */
async function readRolloutJob(
  ctx: Context,
  record: WorkloadRecord | undefined,
): Promise<Workload | "gone" | undefined> {
  const name = record?.phase === "rolling" ? record.rollout?.job : undefined;
  if (record === undefined || name === undefined) return undefined;
  return readJob(ctx, record.namespace, name);
}

/** Ids of those rollouts of a CronJob whose Job is there; none of another kind. */
export async function readJobs(
  ctx: Context,
  workload: Workload,
  rollouts: readonly Rollout[],
): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  if (workload.rollBy !== "job") return ids;
  for (const rollout of rollouts) {
    const name = jobNameOf(workload, rollout);
    const made = await readJob(ctx, workload.namespace, name);
    if (made !== "gone" && made?.madeBy === jobIdOf(rollout)) ids.add(rollout.id);
  }
  return ids;
}

/** A Job from the index, else from the API server; undefined if that may not be asked. */
async function readJob(ctx: Context, namespace: string, name: string) {
  const indexed = ctx.index.last(workloadKey({ kind: job.kind, namespace, name }));
  if (indexed !== undefined) return indexed;
  try {
    const path = apiPath(job, namespace, name);
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
    const workload = await ctx.project(watchedKind, object);
    ctx.index.apply(workload, before);
    return ctx.index.get(workloadKey(workload)) ?? workload;
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    // Made again since the answer: its watch was faster.
    if (ctx.index.last(key) !== before) return ctx.index.get(key);
    ctx.index.forget(key);
    return undefined;
  }
}
