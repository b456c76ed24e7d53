import { KubeError, isTransient } from "@rollcast/kube/client";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Context } from "../context.ts";
import { stableId } from "@rollcast/shared/events";
import { withUnconfirmed } from "../decision/applied.ts";
import type { PatchErrorReason } from "../metrics.ts";
import { contentsHash } from "../model/content.ts";
import { ConflictError, readJobs, readWorkload } from "../reconcile/evaluate.ts";
import { refused } from "../decision/outcomes.ts";
import type { Failure } from "../model/workload-record.ts";
import { DONE, save } from "../reconcile/reconcile.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { Attempt, Pending } from "./roll.ts";

const RETRY = { initial: 30_000, max: 900_000 };

/**
 * Whether a quota has been counted by somebody else at the same time, so often that the API server
 * has given up: nobody has refused anything, and the next try may succeed.
 */
function isQuotaRace({ status, reason, about }: KubeError): boolean {
  return status === 409 && reason === "Conflict" && about === "resourcequotas";
}

/** What a look at the object says of the decision that was made on it. */
export type Look = "as-decided" | "changed" | "gone";

/** What an error means, and what the object said where it was looked at. */
export type Classified = { readonly reason: PatchErrorReason; readonly look?: Look };

/**
 * Says what an error means, and counts it. Tells a refusal from a lost race by looking at the
 * object: a policy answers with any status and sentence it likes, and the answer to a failed `test`
 * is that to any patch that does not apply.
 */
export async function classify(
  ctx: Pick<Context, "metrics">,
  err: KubeError,
  lookAt: () => Promise<Look>,
): Promise<Classified> {
  const isPassing = isTransient(err) || isQuotaRace(err);
  const classified = isPassing ? { reason: "Unavailable" as const } : await judge(lookAt);
  ctx.metrics.patchErrors.inc({ reason: classified.reason });
  return classified;
}

async function judge(lookAt: () => Promise<Look>): Promise<Classified> {
  try {
    const look = await lookAt();
    return { reason: look === "as-decided" ? "Refused" : "Conflict", look };
  } catch (err) {
    if (!(err instanceof KubeError)) throw err;
    // Where it may not be looked at, the answer is all there is.
    const isUnavailable = isTransient(err) || err.status === 401;
    return { reason: isUnavailable ? "Unavailable" : "Refused" };
  }
}

/** Looks, so that the next evaluation uses the server's state and does not wait for the watch. */
export async function lookAtWorkload(ctx: Context, workload: Workload): Promise<Look> {
  const present = await readWorkload(ctx, workloadKey(workload));
  if (present === undefined) return "gone";
  const isSame = present.uid === workload.uid && present.generation === workload.generation;
  return isSame ? "as-decided" : "changed";
}

/** Handles the failure of a patch. Throws as {@link handleClassified}. */
export async function handleApplyError(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
  thrown: unknown,
): Promise<ReconcileResult> {
  if (!(thrown instanceof KubeError)) throw thrown;
  const { reason } = await classify(ctx, thrown, () => lookAtWorkload(ctx, workload));
  return handleClassified(ctx, pending, attempt, {
    err: thrown,
    reason,
    generation: workload.generation,
  });
}

type ApplyError = {
  readonly err: KubeError;
  readonly reason: PatchErrorReason;
  /** Of the workload that was decided on. */
  readonly generation: number;
};

/**
 * Records a failure where it is final for now. Throws {@link ConflictError} when the decision is
 * stale, and the error itself to let the queue retry.
 */
export async function handleClassified(
  ctx: Context,
  pending: Pending,
  attempt: Attempt,
  { err, reason, generation }: ApplyError,
): Promise<ReconcileResult> {
  const { kind, namespace, name } = pending.value;
  if (reason === "Conflict") {
    ctx.logger.debug({ workload: { kind, namespace, name } }, "patch conflict, decision is stale");
    throw new ConflictError("the workload has changed", { cause: err });
  }
  if (reason === "Refused") return recordFailure(ctx, generation, pending, err);
  if (!attempt.lastAttempt) throw err;
  const { rollout, uid } = pending.value;
  return afterLastAttempt(ctx, pending, { err, generation }, async () => {
    const present = await readWorkload(ctx, workloadKey(pending.value));
    if (present?.uid !== uid || present.generation !== rollout.guard) return true;
    return (await readJobs(ctx, present, [rollout])).has(rollout.id);
  });
}

/** How long after an answer that nobody has it is asked again. */
const UNKNOWN_MS = 30_000;

/**
 * Nobody knows whether a write without a clear answer was done: the cluster does. It failed only if
 * `isDone`, which looks there, says no. As long as that has no answer either, the rollout stays
 * pending. Throws {@link ConflictError} if it was done, or something else was.
 */
export async function afterLastAttempt(
  ctx: Context,
  pending: Pending,
  { err, generation }: Pick<ApplyError, "err" | "generation">,
  isDone: () => Promise<boolean>,
): Promise<ReconcileResult> {
  try {
    if (await isDone()) throw new ConflictError("the workload has changed", { cause: err });
  } catch (failure) {
    if (!(failure instanceof KubeError)) throw failure;
    return { requeueAt: Date.now() + UNKNOWN_MS };
  }
  return recordFailure(ctx, generation, pending, err);
}

/**
 * Records that the wanted content was refused: it stays due and is retried with increasing delays.
 */
export async function recordFailure(
  ctx: Context,
  generation: number,
  pending: Pending,
  err: KubeError,
): Promise<ReconcileResult> {
  const { value: record } = pending;
  const wanted = contentsHash(record.rollout.wanted);
  const attempts = record.failure?.wanted === wanted ? record.failure.attempts + 1 : 1;
  const failure: Failure = {
    wanted,
    reason: err.reason === "" ? `Http${err.status}` : err.reason,
    message: err.message.slice(0, 1_024),
    generation,
    attempts,
    retryAt: Date.now() + backoffDelay(RETRY, attempts),
  };
  const ended = refused(record, record.rollout, failure, Date.now());
  // Applied after all, it is another rollout than the one that was told to have failed.
  const { id, madeAs = id } = record.rollout;
  const late = { ...record.rollout, id: stableId(id, "late"), madeAs };
  const next = isTransient(err) ? withUnconfirmed(ended, late) : ended;
  await save(ctx, pending, { record: next, changed: true });
  return DONE;
}
