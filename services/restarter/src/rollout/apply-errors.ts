import { KubeError } from "@rollcast/kube/client";
import { backoffDelay } from "@rollcast/async/backoff";
import { RetryLaterError } from "@rollcast/shared/errors";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { contentsHash } from "../decision/contents.ts";
import { readWorkload } from "../reconcile/evaluate.ts";
import { refused } from "../decision/rollout-ends.ts";
import type { Failure } from "../model/workload-record.ts";
import { commit } from "../reconcile/commit.ts";
import { flushOutbox } from "../reconcile/outbox.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { Attempt, Pending } from "./attempt.ts";

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
 * Classifies a failed patch. Returns true when the failure was recorded, false when the decision is
 * stale; throws to let the queue retry.
 */
export async function handleApplyError(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
  thrown: unknown,
): Promise<boolean> {
  if (!(thrown instanceof KubeError)) throw thrown;
  const { kind, namespace, name } = workload;
  ctx.metrics.patchErrors.inc({ status: String(thrown.status) });
  if (await isStale(ctx, workload, thrown)) {
    ctx.logger.debug({ workload: { kind, namespace, name } }, "patch conflict, decision is stale");
    return false;
  }
  if (thrown.retryAfterMs !== undefined && isTransient(thrown)) {
    throw new RetryLaterError(thrown.retryAfterMs, "the API server asks to come back later", {
      cause: thrown,
    });
  }
  if (isTransient(thrown) && !attempt.lastAttempt) throw thrown;
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
): Promise<boolean> {
  const { value: record } = pending;
  const wanted = contentsHash(record.rollout.wanted);
  const attempts = record.failure?.wanted === wanted ? record.failure.attempts + 1 : 1;
  const failure: Failure = {
    wanted,
    reason: err.reason === "" ? `Http${err.status}` : err.reason,
    message: err.message.slice(0, 1_024),
    generation,
    attempts,
    retryAt: clock() + backoffDelay(RETRY, attempts),
  };
  const written = await commit(ctx, pending, refused(record, record.rollout, failure, clock()));
  if (written === undefined) return false;
  return (await flushOutbox(ctx, written)) !== undefined;
}
