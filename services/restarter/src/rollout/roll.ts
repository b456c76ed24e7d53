import { RetryLaterError } from "@rollcast/shared/errors";
import { recordStarted } from "./record-started.ts";
import { apply } from "./apply.ts";
import type { Applied } from "./apply.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { decide } from "../decision/decide.ts";
import { evaluateFresh } from "../reconcile/evaluate.ts";
import type { Evaluation } from "../reconcile/evaluate.ts";
import type { Rollout } from "../model/workload-record.ts";
import { commit } from "../reconcile/commit.ts";
import { flushOutbox } from "../reconcile/outbox.ts";
import { recreate } from "./recreate.ts";
import { recreateJob } from "./recreate-job.ts";
import { handleApplyError } from "./apply-errors.ts";
import type { Attempt, Pending } from "./attempt.ts";
import { finalize } from "../reconcile/finalize.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";
import { patchedRecord } from "../decision/patched.ts";
import { rollSpan, withSpan } from "./roll-span.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

const MAX_ATTEMPTS = 20;

/**
 * Brings one workload to the present content of its sources: reads the record and the sources,
 * decides, and patches at most once. It is idempotent, on any replica at any time. Content that has
 * become due since the patch gets its own job after its window.
 */
export async function roll(
  ctx: Context,
  key: WorkloadKey,
  attempt: Attempt,
): Promise<ReconcileResult> {
  const inUse: InUse = { rollout: undefined, tried: undefined };
  try {
    for (let attemptNumber = 0; attemptNumber < MAX_ATTEMPTS; attemptNumber++) {
      attempt.signal.throwIfAborted();
      const evaluation = await evaluateFresh(ctx, key);
      if (evaluation === undefined) {
        const made = await recreateJob(ctx, key, attempt);
        if (made === "none") await finalize(ctx, key);
        if (made !== "again") return { roll: false };
        continue;
      }
      ctx.failpoint("record-read");
      const { decision } = evaluation;
      if (decision.do === "roll" && isAnother(decision.record.rollout, inUse)) {
        return { roll: true, since: decision.record.staleSince };
      }
      if (await act(ctx, evaluation, attempt, inUse)) return { roll: false };
    }
    throw new RetryLaterError(1_000, "the workload changes faster than it can be decided on");
  } finally {
    if (inUse.rollout !== undefined) await ctx.admission.releaseQuota(key, inUse.rollout);
  }
}

/**
 * `rollout`: has quota, but is in no record yet. `tried`: the id of the rollout that this job has
 * begun to apply.
 */
type InUse = { rollout: Rollout | undefined; tried: string | undefined };

function isAnother(rollout: Rollout, { tried }: InUse): boolean {
  return tried !== undefined && rollout.id !== tried;
}

/** Reserves quota for the decided rollout; if none is free, the decision is to wait. */
async function withQuota(ctx: Context, evaluation: Evaluation, inUse: InUse): Promise<Evaluation> {
  const { decision, input } = evaluation;
  if (decision.do !== "roll") return evaluation;
  const { rollout } = decision.record;
  if (await ctx.admission.reserveQuota(input.workload, rollout)) {
    if (rollout.quota === true) ctx.failpoint("quota-reserved");
    if (decision.changed && rollout.quota === true) inUse.rollout = rollout;
    return evaluation;
  }
  const admission = { ...input.admission, quota: "full" as const };
  return { ...evaluation, decision: decide({ ...input, admission }) };
}

/** Whether the decision was applied; false: somebody was faster, evaluate again. */
async function act(
  ctx: Context,
  evaluated: Evaluation,
  attempt: Attempt,
  inUse: InUse,
): Promise<boolean> {
  const evaluation = await withQuota(ctx, evaluated, inUse);
  if (evaluation.decision.do === "requeue") return false;
  if (evaluation.decision.do !== "roll") return commitAndApply(ctx, evaluation, attempt, inUse);
  const span = rollSpan(evaluation, attempt);
  return ctx.tracer.span("roll", span, () =>
    commitAndApply(ctx, withSpan(evaluation), attempt, inUse),
  );
}

/** Writes the decision, and patches if it is to roll. */
async function commitAndApply(
  ctx: Context,
  evaluation: Evaluation,
  attempt: Attempt,
  inUse: InUse,
): Promise<boolean> {
  const { decision, input, entry } = evaluation;
  if (decision.do === "requeue") return false;
  let written = entry;
  if (decision.changed) {
    written = await commit(ctx, entry, decision.record);
    if (written === undefined) return false;
    if (decision.do === "roll") inUse.rollout = undefined;
  }
  if (written === undefined) return true;
  if (decision.do !== "roll") return (await flushOutbox(ctx, written)) !== undefined;
  ctx.failpoint("pending-written");
  inUse.tried = decision.record.rollout.id;
  return patch(ctx, input.workload, written as Pending, attempt);
}

async function patch(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
): Promise<boolean> {
  const kind = ctx.kinds.get(workload.kind);
  if (kind === undefined) return true;
  if (workload.rollBy === "recreate") return recreate(ctx, workload, pending, attempt);
  const began = clock();
  let carried: Applied | undefined;
  ctx.patching.count++;
  try {
    const patching = { kind: "client" } as const;
    carried = await ctx.tracer.span("patch", patching, () =>
      apply(ctx, kind, workload, pending.value),
    );
  } catch (err) {
    return handleApplyError(ctx, workload, pending, attempt, err);
  } finally {
    ctx.patching.count--;
    ctx.metrics.patchSeconds.observe((clock() - began) / 1_000);
  }
  if (carried === undefined) return false;
  const { workload: patched, rollout } = carried;
  ctx.failpoint("patched");
  const at = { ...ctx, workload: patched, now: clock() };
  const next = patchedRecord(at, pending.value, rollout, patched.generation);
  return recordStarted(ctx, pending, next, patched);
}
