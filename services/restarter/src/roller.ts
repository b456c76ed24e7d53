import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { FIELD_MANAGER, JSON_PATCH, apiPath, guardedAnnotations } from "@rollcast/kube/patch";
import { backoffDelay } from "@rollcast/shared/backoff";
import { RetryLater } from "@rollcast/shared/errors";
import type { Entry } from "@rollcast/shared/nats/kv";
import { clock } from "./context.ts";
import type { Context } from "./context.ts";
import { contentsHash, patchedRecord } from "./decide.ts";
import { askCluster, assessFresh } from "./gather.ts";
import type { Assessment } from "./gather.ts";
import { MARKER } from "./marker.ts";
import { refused, started } from "./outcomes.ts";
import type { Failure, Rollout, WorkloadRecord } from "./record.ts";
import { announce, commit, flush } from "./records.ts";
import { remove } from "./settle.ts";
import { projectWorkload } from "./workload.ts";
import type { Workload, WorkloadKey } from "./workload.ts";

const MAX_LOOKS = 20;
const PATCH_MS = 15_000;
const RETRY = { initial: 30_000, max: 900_000 };

type Pending = Entry<WorkloadRecord> & { readonly value: { readonly rollout: Rollout } };

/** Which attempt this is, and whether another will follow by itself. */
export type Attempt = { readonly signal: AbortSignal; readonly lastAttempt: boolean };

/**
 * Brings one workload to the present content of its sources: reads the record and the sources, decides, and patches at most once. Running it twice,
 * anywhere, at any time, does nothing more.
 */
export async function roll(ctx: Context, key: WorkloadKey, attempt: Attempt): Promise<void> {
  for (let look = 0; look < MAX_LOOKS; look++) {
    attempt.signal.throwIfAborted();
    const assessment = await assessFresh(ctx, key);
    if (assessment === undefined) return remove(ctx, key);
    ctx.step("record-read");
    if (await act(ctx, assessment, attempt)) return;
  }
  throw new RetryLater(1_000, "the workload changes faster than it can be decided on");
}

/** Whether the decision was carried out; false: somebody was faster, look again. */
async function act(ctx: Context, assessment: Assessment, attempt: Attempt): Promise<boolean> {
  const { decision, situation, entry } = assessment;
  if (decision.do === "look-again") return false;
  let written = entry;
  if (decision.changed) {
    written = await commit(ctx, entry, decision.record);
    if (written === undefined) return false;
  }
  if (written === undefined) return true;
  if (decision.do !== "roll") return (await flush(ctx, written)) !== undefined;
  ctx.step("pending-written");
  return patch(ctx, situation.workload, written as Pending, attempt);
}

async function patch(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
): Promise<boolean> {
  const kind = ctx.kinds.get(workload.kind);
  if (kind === undefined) return true;
  const { rollout } = pending.value;
  const began = clock();
  let patched: Workload;
  ctx.patching.count++;
  try {
    const object = await ctx.kube.request<KubeObject>({
      method: "PATCH",
      path: apiPath(kind, workload.namespace, workload.name),
      query: { fieldManager: FIELD_MANAGER },
      contentType: JSON_PATCH,
      body: guardedAnnotations(kind, workload, { [MARKER]: rollout.marker }),
      timeoutMs: PATCH_MS,
    });
    patched = projectWorkload(kind, object);
  } catch (err) {
    return notPatched(ctx, workload, pending, attempt, err);
  } finally {
    ctx.patching.count--;
    ctx.metrics.patchSeconds.observe((clock() - began) / 1_000);
  }
  ctx.step("patched");
  const next = patchedRecord(
    {
      workload: patched,
      now: clock(),
      breaker: ctx.breaker,
      stalledAfterMs: ctx.stalledAfterMs,
    },
    pending.value,
    rollout,
    patched.generation,
  );
  for (const outcome of pending.value.outbox) await announce(ctx, outcome);
  await announce(ctx, started(next, next.rollout ?? rollout));
  ctx.step("started-published");
  const written = await commit(ctx, pending, { ...next, outbox: [] });
  if (written !== undefined) ctx.step("rolling-written");
  // Only now: whoever sees the new generation in the index finds a record that knows of it.
  ctx.index.apply(patched);
  return written !== undefined;
}

function isGuard(err: KubeError): boolean {
  // Of our two kinds of 422, a failed `test` names itself; everything else is the object being invalid.
  return err.status === 422 && /testing|test operation|test failed/i.test(err.message);
}

function isTransient(err: KubeError): boolean {
  return err.status === 0 || err.status === 429 || err.status >= 500 || err.status === 401;
}

async function notPatched(
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
    await askCluster(ctx, `${kind}/${namespace}/${name}`);
    return false;
  }
  if (thrown.status === 404) {
    await askCluster(ctx, `${kind}/${namespace}/${name}`);
    return false;
  }
  if (thrown.retryAfterMs !== undefined && isTransient(thrown)) {
    throw new RetryLater(thrown.retryAfterMs, "the API server asks to come back later", {
      cause: thrown,
    });
  }
  if (isTransient(thrown) && !attempt.lastAttempt) throw thrown;
  return giveUp(ctx, workload, pending, thrown);
}

/** Writes down that the content is wanted and was refused: it stays due, and is tried again, slower and slower. */
async function giveUp(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  err: KubeError,
): Promise<boolean> {
  const { value: record } = pending;
  const wanted = contentsHash(record.rollout.wanted);
  const tries = record.failure?.wanted === wanted ? record.failure.tries + 1 : 1;
  const failure: Failure = {
    wanted,
    reason: err.reason === "" ? `HTTP ${err.status}` : err.reason,
    message: err.message.slice(0, 1_024),
    generation: workload.generation,
    tries,
    retryAt: clock() + backoffDelay(RETRY, tries),
  };
  const written = await commit(ctx, pending, refused(record, record.rollout, failure, clock()));
  if (written === undefined) return false;
  return (await flush(ctx, written)) !== undefined;
}
