import type { Entry } from "@rollcast/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import { clock, newId } from "../clock.ts";
import type { Context } from "../context.ts";
import { decide } from "../decision/decide.ts";
import type { DecisionInput } from "../decision/decision-input.ts";
import type { Decision } from "../decision/decision.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { ConflictError } from "./conflict.ts";
import { candidates, readRolloutJob, readSource, readWorkload } from "./read.ts";
import type { SourceReads } from "./read.ts";

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
  const watched = await readRolloutJob(ctx, entry?.value);
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
  const deadline = clock() + CATCH_UP_MS;
  for (;;) {
    const workload = ctx.index.get(key);
    const evaluation = workload === undefined ? undefined : await evaluate(ctx, workload);
    if (evaluation !== undefined && isFresh(evaluation)) return evaluation;
    const refetch = evaluation?.decision.do !== "requeue" || evaluation.decision.refetch;
    const wait = deadline - clock();
    if (!refetch && wait > 0 && (await ctx.index.nextChange(key, wait))) continue;
    const present = await readWorkload(ctx, key);
    const trusted = present === undefined ? undefined : await evaluate(ctx, present, true);
    if (trusted !== undefined && isFresh(trusted)) return trusted;
    throw new ConflictError("the workload is gone");
  }
}
