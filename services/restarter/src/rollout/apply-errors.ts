import { KubeError } from "@rollcast/kube/client";
import { backoffDelay } from "@rollcast/async/backoff";
import { RetryLater } from "@rollcast/shared/errors";
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
  // Of our two kinds of 422, a failed `test` names itself; everything else is the object being invalid.
  return err.status === 422 && /testing|test operation|test failed/i.test(err.message);
}

export function isTransient(err: KubeError): boolean {
  return err.status === 0 || err.status === 429 || err.status >= 500 || err.status === 401;
}

/** Whether the request was dealt with (false: look again) where the API server did not carry it out; throws where another try is due. */
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
    ctx.logger.debug({ workload: { kind, namespace, name } }, "patch refused by its guard");
    // Rather than wait for the watch: the next look decides on what the server has now.
    await readWorkload(ctx, `${kind}/${namespace}/${name}`);
    return false;
  }
  if (thrown.status === 404) {
    await readWorkload(ctx, `${kind}/${namespace}/${name}`);
    return false;
  }
  if (thrown.retryAfterMs !== undefined && isTransient(thrown)) {
    throw new RetryLater(thrown.retryAfterMs, "the API server asks to come back later", {
      cause: thrown,
    });
  }
  if (isTransient(thrown) && !attempt.lastAttempt) throw thrown;
  return recordFailure(ctx, workload.generation, pending, thrown);
}

/** Writes down that the content is wanted and was refused: it stays due, and is tried again, slower and slower. */
export async function recordFailure(
  ctx: Context,
  generation: number,
  pending: Pending,
  err: KubeError,
): Promise<boolean> {
  const { value: record } = pending;
  const wanted = contentsHash(record.rollout.wanted);
  const tries = record.failure?.wanted === wanted ? record.failure.tries + 1 : 1;
  const failure: Failure = {
    wanted,
    reason: err.reason === "" ? `Http${err.status}` : err.reason,
    message: err.message.slice(0, 1_024),
    generation,
    tries,
    retryAt: clock() + backoffDelay(RETRY, tries),
  };
  const written = await commit(ctx, pending, refused(record, record.rollout, failure, clock()));
  if (written === undefined) return false;
  return (await flushOutbox(ctx, written)) !== undefined;
}
