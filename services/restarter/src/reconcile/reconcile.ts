import { recordKey } from "@rollcast/shared/subjects";
import type { Entry } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import { carried, inSpan } from "@rollcast/runtime/trace";
import type { Context } from "../context.ts";
import { isBackingOff, restOfWindow } from "../decision/put-off.ts";
import { splitKey, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { ConflictError, evaluateFresh, readWorkload, retryOnConflict } from "./evaluate.ts";
import type { DueRollout } from "./evaluate.ts";
import { advanceGone, deletionOverAt, isDeletionOver, mayApplyUntil } from "../decision/applied.ts";
import { kubeEventOf } from "../events/kube-events.ts";
import { asksForPods, withPods } from "./workload-pods.ts";
import { countOutcome, endSpan, tracer } from "../events/outcome-publisher.ts";
import type { OutboxEvent, WorkloadRecord } from "../model/workload-record.ts";

/**
 * When the workload must be reconciled again (milliseconds since the epoch), with effects; never:
 * done. What waits for longer than a window stands in the record, and the progress watch enqueues
 * it then.
 */
export type ReconcileResult = { readonly requeueAt?: number };

export const DONE: ReconcileResult = {};

/** What a reconciliation may do to the cluster. All of it throws {@link ConflictError}. */
export type Effects = {
  /** Writes and applies a decided rollout. */
  apply(due: DueRollout): Promise<ReconcileResult>;
  /** Creates the Job that was deleted for its rollout. */
  recreate(entry: RecordEntry): Promise<ReconcileResult>;
  /** Throws where the work is to end. */
  throwIfEnded(): void;
};

const CHANGES_FAST_MS = 1_000;

/**
 * Brings one workload and its record to what the present content of its sources asks for: adopts,
 * follows, ends, publishes, and with effects rolls at most once. Without effects, a rollout that is
 * due is only said to be. It is idempotent, on any replica at any time.
 */
export async function reconcile(
  ctx: Context,
  key: WorkloadKey,
  effects?: Effects,
): Promise<ReconcileResult> {
  try {
    return await ctx.workloadLock.run(key, () =>
      retryOnConflict(() => reconcileNow(ctx, key, effects)),
    );
  } catch (err) {
    if (err instanceof ConflictError) return { requeueAt: Date.now() + CHANGES_FAST_MS };
    throw err;
  }
}

async function reconcileNow(
  ctx: Context,
  key: WorkloadKey,
  effects: Effects | undefined,
): Promise<ReconcileResult> {
  effects?.throwIfEnded();
  if (ctx.index.get(key)?.mayRoll !== true) {
    // The record first: a Job that is made again between the two is not gone.
    const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
    const workload = ctx.index.get(key) ?? (await readWorkload(ctx, key));
    const isFollowed = workload !== undefined && entry !== undefined && isUnderway(workload, entry);
    if (workload?.mayRoll !== true && !isFollowed) {
      return withoutWorkload(ctx, key, { workload, entry, effects });
    }
  }
  const { decision, entry, input } = await evaluateFresh(ctx, key);
  if (decision.do === "roll") {
    if (effects !== undefined) return effects.apply({ decision, entry, input });
    // `pending` is written by the code that patches right after it.
    return atWindowEnd(ctx, input.workload, decision.record.staleSince);
  }
  await save(ctx, entry, decision);
  const until = input.workload.mayRoll ? undefined : mayApplyUntil(decision.record);
  return until === undefined ? DONE : { requeueAt: Math.max(until, Date.now()) };
}

/** Whether a rollout of the workload goes on, or may have begun without an answer. */
function isUnderway({ madeBy, rollBy, uid }: Workload, { value: record }: RecordEntry): boolean {
  if (record.phase === "rolling") return true;
  if (rollBy === "recreate") {
    return madeBy !== undefined && madeBy === record.recreate?.rollout.id;
  }
  return record.uid === uid && Date.now() < (mayApplyUntil(record) ?? 0);
}

type Without = {
  readonly workload: Workload | undefined;
  readonly entry: RecordEntry | undefined;
  readonly effects: Effects | undefined;
};

/** Ends the record of a workload that is gone or not opted in, unless we deleted it ourselves. */
async function withoutWorkload(
  ctx: Context,
  key: WorkloadKey,
  { workload, entry, effects }: Without,
): Promise<ReconcileResult> {
  if (entry === undefined) return DONE;
  const { value: record } = entry;
  const now = Date.now();
  const isKept = workload !== undefined && isDeletionOver(record, now);
  if (record.recreate === undefined || isKept) {
    await finalize(ctx, key, entry);
    return DONE;
  }
  if (workload !== undefined) return { requeueAt: deletionOverAt(record) + 1 };
  // Only this record can recreate the Job; not while its content is refused.
  if (isBackingOff(record, now)) return DONE;
  return effects === undefined ? { requeueAt: now } : effects.recreate(entry);
}

/** Content that is due is rolled at the end of the window that began when it became so. */
export function atWindowEnd(
  ctx: Context,
  workload: Workload,
  since: number | undefined,
): ReconcileResult {
  const now = Date.now();
  return { requeueAt: now + restOfWindow(ctx.admission.windowOf(workload), since, now) };
}

/**
 * Removes the record of a workload that is gone or no longer opted in, after publishing the end of
 * its rollout. Throws {@link ConflictError}.
 */
async function finalize(ctx: Context, key: WorkloadKey, entry: RecordEntry): Promise<void> {
  const ended = advanceGone(entry.value, ctx.index.last(key), Date.now());
  const last = ended === entry.value ? entry : await commit(ctx, entry, ended);
  await publishOutbox(ctx, last.value);
  if (!(await ctx.records.remove(last.key, last.revision))) {
    throw new ConflictError("the record has changed");
  }
  const { rollout } = last.value;
  if (rollout !== undefined) await ctx.admission.releaseQuota(key, rollout);
}

const ENDS = new Set(["succeeded", "failed", "superseded", "cancelled"]);

/** A record as it was read or written. */
type RecordEntry = Entry<WorkloadRecord>;

/**
 * Writes a record unless it has changed since `before` was read: then throws {@link ConflictError}.
 * A dropped rollout that had not begun releases its quota.
 */
export async function commit<Written extends WorkloadRecord>(
  ctx: Context,
  before: RecordEntry | undefined,
  record: Written,
): Promise<Entry<Written>> {
  const key = recordKey(ctx.cluster, record);
  const written = await put(ctx.records, key, record, before);
  if (written === undefined) {
    ctx.metrics.recordConflicts.inc();
    throw new ConflictError("the record has changed");
  }
  const { phase, rollout } = before?.value ?? {};
  const isDropped = phase === "pending" && rollout?.id !== record.rollout?.id;
  if (isDropped && rollout !== undefined) {
    await ctx.admission.releaseQuota(workloadKey(record), rollout);
  }
  return written;
}

/**
 * Publishes what a record's outbox holds. After an interruption the next run publishes it again,
 * under the same ids.
 */
export async function publishOutbox(ctx: Context, { outbox }: WorkloadRecord): Promise<void> {
  for (const event of outbox) {
    if (ENDS.has(event.outcome)) ctx.failpoint("end-written");
    await publishOutcome(ctx, event);
    if (ENDS.has(event.outcome)) ctx.failpoint("end-published");
  }
}

/** Publishes an outcome, records it on the workload and counts it. */
export async function publishOutcome(ctx: Context, decided: OutboxEvent): Promise<void> {
  // Before the look at the pods: a failure must count before another rollout of its change begins.
  if (decided.outcome === "stalled") await ctx.admission.stalled(decided);
  if (ENDS.has(decided.outcome)) await ctx.admission.ended(decided);
  const event = asksForPods(decided) ? await withPods(ctx, decided) : decided;
  if (ENDS.has(event.outcome)) {
    const publish = () => ctx.publish({ ...event, ...carried() });
    await inSpan(tracer, "rollout", endSpan(event), publish);
  } else await ctx.publish(event);
  ctx.recordEvent(kubeEventOf(event));
  countOutcome(ctx.metrics, event);
  const { workload, rollout, reason, message, durationMs } = event.data;
  const level = event.outcome === "failed" ? "warn" : "info";
  ctx.logger[level](
    { workload, rollout, outcome: event.outcome, reason, message, durationMs },
    "rollout outcome",
  );
}

/** Publishes the record's outbox, then empties it. Throws {@link ConflictError}. */
async function flushOutbox(ctx: Context, entry: RecordEntry): Promise<void> {
  if (entry.value.outbox.length === 0) return;
  await publishOutbox(ctx, entry.value);
  await commit(ctx, entry, { ...entry.value, outbox: [] });
}

/** Writes what was decided where it differs, and publishes its outbox. */
export async function save(
  ctx: Context,
  entry: RecordEntry | undefined,
  decision: { readonly record: WorkloadRecord; readonly changed: boolean },
): Promise<void> {
  const written = decision.changed ? await commit(ctx, entry, decision.record) : entry;
  if (written !== undefined) await flushOutbox(ctx, written);
}
