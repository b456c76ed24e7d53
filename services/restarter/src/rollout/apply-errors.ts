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
import type { Workload } from "../model/workload.ts";
import type { Attempt, Pending } from "./attempt.ts";

const RETRY = { initial: 30_000, max: 900_000 };

function isGuard(err: KubeError): boolean {
  // Of the two kinds of 422, a failed `test` operation is named; any other means an invalid object.
  return err.status === 422 && /testing|test operation|test failed/i.test(err.message);
}

export function isTransient(err: KubeError): boolean {
  return err.status === 0 || err.status === 429 || err.status >= 500 || err.status === 401;
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
  if (isGuard(thrown) || thrown.status === 409) {
    ctx.logger.debug({ workload: { kind, namespace, name } }, "patch conflict, decision is stale");
    // Refreshes the index instead of waiting for the watch: the next evaluation uses the server's
    // state.
    await readWorkload(ctx, `${kind}/${namespace}/${name}`);
    return false;
  }
  if (thrown.status === 404) {
    await readWorkload(ctx, `${kind}/${namespace}/${name}`);
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
