import { KubeError } from "@rollcast/kube/client";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Context } from "../context.ts";
import { stableId } from "@rollcast/shared/events";
import { withUnconfirmed } from "../decision/applied.ts";
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

export function isTransient(err: KubeError): boolean {
  return err.status === 0 || err.status === 429 || err.status >= 500 || err.status === 401;
}

/**
 * Whether the decision was made on a workload that has changed since. Reads the workload, so that
 * the next evaluation uses the server's state and does not wait for the watch. A 422 alone does not
 * say it: the API server's message for a failed `test` is the one for any patch that does not
 * apply.
 */
async function isStale(ctx: Context, workload: Workload, { status }: KubeError): Promise<boolean> {
  if (status !== 404 && status !== 409 && status !== 422) return false;
  const { uid, generation } = workload;
  const present = await readWorkload(ctx, workloadKey(workload));
  return status !== 422 || present?.uid !== uid || present.generation !== generation;
}

/**
 * Classifies a failed patch: records the failure, or says when to try again. Throws
 * {@link ConflictError} when the decision is stale, and the error itself to let the queue retry.
 */
export async function handleApplyError(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
  thrown: unknown,
): Promise<ReconcileResult> {
  if (!(thrown instanceof KubeError)) throw thrown;
  const { kind, namespace, name } = workload;
  ctx.metrics.patchErrors.inc({ status: String(thrown.status) });
  if (await isStale(ctx, workload, thrown)) {
    ctx.logger.debug({ workload: { kind, namespace, name } }, "patch conflict, decision is stale");
    throw new ConflictError("the workload has changed", { cause: thrown });
  }
  if (thrown.retryAfterMs !== undefined && isTransient(thrown)) {
    return { requeueAt: Date.now() + thrown.retryAfterMs };
  }
  if (!isTransient(thrown)) return recordFailure(ctx, workload.generation, pending, thrown);
  if (!attempt.lastAttempt) throw thrown;
  return afterLastAttempt(ctx, workload, pending, thrown);
}

/**
 * Nobody knows whether a patch without a clear answer was applied: the object does. It failed only
 * if the object is there as it was. As long as that has no answer either, the rollout stays
 * pending.
 */
async function afterLastAttempt(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  thrown: KubeError,
): Promise<ReconcileResult> {
  const { rollout } = pending.value;
  try {
    const present = await readWorkload(ctx, workloadKey(workload));
    const isSame = present?.uid === workload.uid && present.generation === rollout.guard;
    const jobs = isSame ? await readJobs(ctx, workload, [rollout]) : new Set();
    if (!isSame || jobs.has(rollout.id)) {
      throw new ConflictError("the workload has changed", { cause: thrown });
    }
  } catch (err) {
    if (!(err instanceof KubeError)) throw err;
    return { requeueAt: Date.now() + RETRY.initial };
  }
  return recordFailure(ctx, workload.generation, pending, thrown);
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
  const late = { ...record.rollout, id: stableId(record.rollout.id, "late") };
  const next = isTransient(err) ? withUnconfirmed(ended, late) : ended;
  await save(ctx, pending, { record: next, changed: true });
  return DONE;
}
