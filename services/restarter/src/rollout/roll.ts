import { SpanKind, carried, inSpan } from "@rollcast/runtime/trace";
import type { TraceOptions } from "@rollcast/runtime/trace";
import { KubeError } from "@rollcast/kube/client";
import { apiPath } from "@rollcast/kube/api-path";
import type { KubeObject } from "@rollcast/kube/object";
import {
  FIELD_MANAGER,
  JSON_PATCH,
  guardedAnnotations,
  guardedRestart,
} from "@rollcast/kube/patch";
import type { PatchOperation } from "@rollcast/kube/patch";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { UNRECORDED_QUOTA_MS } from "../admission/quota-store.ts";
import { decide } from "../decision/decide.ts";
import { patchedRecord } from "../decision/applied.ts";
import { attributesOf, tracer } from "../events/outcome-publisher.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { ConflictError } from "../reconcile/evaluate.ts";
import type { DueRollout } from "../reconcile/evaluate.ts";
import { DONE, atWindowEnd, commit, reconcile, save } from "../reconcile/reconcile.ts";
import type { Effects, ReconcileResult } from "../reconcile/reconcile.ts";
import { handleApplyError, recordFailure } from "./apply-errors.ts";
import { recordStarted } from "./record-started.ts";
import { WRITE_MS, recreate, recreateJob, runJob } from "./jobs.ts";
import { lastReloadedFrom, variableOperations } from "./reloader-strategy.ts";
import type { Patched } from "./reloader-strategy.ts";
import { MARKER, formatRestart, splitSourceKey } from "../model/content.ts";
import { LAST_RELOADED_FROM } from "../model/reloader-marks.ts";
import type { SourceKey } from "../model/content.ts";

/** Reconciles a workload with effects: patches at most once. The job of a queue. */
export async function roll(
  ctx: Context,
  key: WorkloadKey,
  attempt: Attempt,
): Promise<ReconcileResult> {
  const { effects, release } = createEffects(ctx, attempt);
  try {
    return await reconcile(ctx, key, effects);
  } finally {
    await release(key);
  }
}

function createEffects(ctx: Context, attempt: Attempt) {
  /** Has quota, but is in no record yet. */
  let unwritten: Rollout | undefined;
  /** The id of the rollout that this job has begun to apply. */
  let triedId: string | undefined;

  const reserve = async ({ decision, input }: DueRollout) => {
    const { rollout } = decision.record;
    const isReserved = await ctx.admission.reserveQuota(input.workload, rollout);
    if (!isReserved || rollout.quota !== true) return isReserved;
    ctx.failpoint("quota-reserved");
    if (decision.changed) unwritten = rollout;
    return true;
  };
  const write = async ({ decision, entry }: DueRollout): Promise<Pending | undefined> => {
    if (!decision.changed) return entry as Pending | undefined;
    try {
      const pending = await commit(ctx, entry, decision.record);
      unwritten = undefined;
      return pending;
    } catch (err) {
      // Without an answer it may be written; quota that is in no record is released later.
      if (!(err instanceof ConflictError)) unwritten = undefined;
      throw err;
    }
  };
  const effects: Effects = {
    async apply(due) {
      const { decision, entry, input } = due;
      const { rollout, staleSince } = decision.record;
      ctx.failpoint("record-read");
      // Content that has become due since this job's patch gets its own job after its window.
      if (triedId !== undefined && rollout.id !== triedId) {
        return atWindowEnd(ctx, input.workload, staleSince);
      }
      const reservedAt = Date.now();
      if (!(await reserve(due))) {
        const waiting = decide({ ...input, admission: { ...input.admission, quota: "full" } });
        if (waiting.do !== "requeue") await save(ctx, entry, waiting);
        return DONE;
      }
      return inSpan(tracer, "roll", rollSpan(due, attempt), async () => {
        const pending = await write(withSpan(due));
        if (pending === undefined) return DONE;
        ctx.failpoint("pending-written");
        // Quota that is in no record is released after a while, and this process may have stood
        // still before the write.
        const isLate = Date.now() - reservedAt > UNRECORDED_QUOTA_MS / 2;
        if (isLate && !(await ctx.admission.reserveQuota(input.workload, rollout))) {
          return { requeueAt: Date.now() };
        }
        triedId = rollout.id;
        return patch(ctx, input.workload, pending, attempt);
      });
    },
    recreate: (entry) => recreateJob(ctx, entry, attempt),
    throwIfEnded: () => attempt.signal.throwIfAborted(),
  };
  const release = async (key: WorkloadKey) => {
    if (unwritten !== undefined) await ctx.admission.releaseQuota(key, unwritten);
  };
  return { effects, release };
}

async function patch(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
): Promise<ReconcileResult> {
  const kind = ctx.kinds.get(workload.kind);
  if (kind === undefined) return DONE;
  if (workload.rollBy === "recreate") return recreate(ctx, workload, pending, attempt);
  const began = Date.now();
  let applied: Applied;
  ctx.patching.count++;
  try {
    const patching = { kind: SpanKind.CLIENT };
    const make = workload.rollBy === "job" ? runJob : patchWorkload;
    applied = await inSpan(tracer, "patch", patching, () =>
      make(ctx, kind, workload, pending.value),
    );
  } catch (err) {
    return handleApplyError(ctx, workload, pending, attempt, err);
  } finally {
    ctx.patching.count--;
    ctx.metrics.patchSeconds.observe((Date.now() - began) / 1_000);
  }
  const { workload: patched, rollout } = applied;
  ctx.failpoint("patched");
  if (workload.rollBy !== "job" && patched.marker !== rollout.marker) {
    ctx.index.apply(patched);
    return recordFailure(ctx, patched.generation, pending, notKept(workload, patched));
  }
  const at = { ...ctx, workload: ctx.index.referred(patched), now: Date.now() };
  const next = patchedRecord(at, pending.value, rollout, patched.generation);
  return recordStarted(ctx, pending, next, patched);
}

/** Patches a workload, once even if called repeatedly. Throws {@link KubeError}. */
async function patchWorkload(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  record: Pending["value"],
): Promise<Applied> {
  const object = await ctx.kube.request<KubeObject>({
    method: "PATCH",
    path: apiPath(kind, workload.namespace, workload.name),
    query: { fieldManager: FIELD_MANAGER },
    contentType: JSON_PATCH,
    body:
      workload.rollBy === "restart"
        ? restartPatch(workload, record.rollout)
        : templatePatch({ kind, workload, record, rules: ctx.rules }),
    timeoutMs: WRITE_MS,
  });
  const patched = await ctx.project(kind, object);
  // What admission changed in this request is part of it.
  const rollout = { ...record.rollout, templateHash: patched.templateHash };
  return { workload: patched, rollout };
}

/** A restart by its time; the object says with which content it is. */
export function restartPatch(workload: Workload, { marker, wanted }: Rollout): PatchOperation[] {
  const hasAnnotations = Object.keys(workload.annotations).length > 0;
  const text = formatRestart(wanted, workload.namespace, marker);
  return guardedRestart(workload, marker, hasAnnotations ? { [MARKER]: text } : {});
}

/**
 * The single patch of a rollout: our marker, and the marks of the configured Reloader strategy. It
 * also removes marks of strategies no longer in use, including Reloader's own, because the pods
 * restart anyway. Guarded by the workload's generation.
 */
export function templatePatch(patched: Patched): PatchOperation[] {
  const { kind, workload, record, rules } = patched;
  const annotations: Record<string, string> = { [MARKER]: record.rollout.marker };
  const removed: string[] = [];
  if (rules.strategy === "reloader-annotations") {
    const text = lastReloadedFrom(patched);
    if (text !== undefined) annotations[LAST_RELOADED_FROM] = text;
  } else if (workload.marks.lastReloadedFrom !== "none") removed.push(LAST_RELOADED_FROM);
  return guardedAnnotations(kind, workload, {
    annotations,
    removed,
    more: workload.marks.containers.length === 0 ? [] : variableOperations(patched),
  });
}

/**
 * The API server answered 200, and the object does not have what was written. Admission may have
 * changed the template besides: then the pods restart all the same, and are followed by nobody.
 */
function notKept(before: Workload, patched: Workload): KubeError {
  const isTemplateChanged = patched.templateHash !== before.templateHash;
  const message =
    `the patch was accepted, and ${MARKER} is not on the pod template: ` +
    `an admission policy removes it, or the CRD of ${before.kind} prunes template.metadata ` +
    "(generate it with embedded object metadata)" +
    (isTemplateChanged
      ? "; admission changed the pod template in the same write, so its controller restarts the pods"
      : "");
  return new KubeError(422, "MarkerNotKept", message);
}

/** The workload and its rollout after the change was applied. */
export type Applied = { readonly workload: Workload; readonly rollout: Rollout };

/** A record with a decided rollout, as written. */
export type Pending = Entry<WorkloadRecord & { readonly rollout: Rollout }>;

/** Which attempt this is, and whether the queue will retry. */
export type Attempt = {
  readonly signal: AbortSignal;
  readonly lastAttempt: boolean;
  /** W3C trace context of what first enqueued the job. */
  readonly traceparent?: string;
};

/** The traces of the sources whose content the rollout brings, the cause first. */
function causes({ decision, input }: DueRollout): (string | undefined)[] {
  const { running, rollout } = decision.record;
  const keys = Object.keys(rollout.wanted) as SourceKey[];
  const changed = keys.filter((key) => rollout.wanted[key]?.digest !== running[key]?.digest);
  const isCause = (key: SourceKey) => splitSourceKey(key).name === rollout.cause?.name;
  return changed
    .toSorted((a, b) => Number(isCause(b)) - Number(isCause(a)))
    .map((key) => input.sources.get(key)?.traceparent);
}

/**
 * Follows from the trace that enqueued the job, else from its cause; linked to the other changes.
 */
function rollSpan(due: DueRollout, { traceparent }: Attempt): TraceOptions {
  const links = causes(due).filter((link) => link !== undefined);
  const parent = traceparent ?? links[0];
  const attributes = attributesOf(due.input.workload);
  const traceId = parent?.split("-")[1];
  const others = links.filter((link) => link.split("-")[1] !== traceId);
  return { kind: SpanKind.CONSUMER, parent, links: others, attributes };
}

/** The same, with the present span stored in its rollout if not yet written. */
function withSpan(due: DueRollout): DueRollout {
  const { decision } = due;
  if (!decision.changed) return due;
  const { record } = decision;
  const rollout = { ...record.rollout, ...carried() };
  return { ...due, decision: { ...decision, record: { ...record, rollout } } };
}
