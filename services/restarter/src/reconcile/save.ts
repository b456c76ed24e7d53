import type { Entry } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import { carried, inSpan } from "@rollcast/runtime/trace";
import { recordKey } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import { kubeEventOf } from "../events/kube-events.ts";
import { endSpan, tracer } from "../events/spans.ts";
import type { OutboxEvent, WorkloadRecord } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";
import { ConflictError } from "./conflict.ts";
import { withLeftPods } from "./left-pods.ts";

const ENDS = new Set(["succeeded", "failed", "superseded", "cancelled"]);

/** A record as it was read or written. */
export type RecordEntry = Entry<WorkloadRecord>;

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
  if (written === undefined) throw new ConflictError("the record has changed");
  const { phase, rollout } = before?.value ?? {};
  const isDropped = phase === "pending" && rollout?.id !== record.rollout?.id;
  if (isDropped && rollout !== undefined) {
    await ctx.admission.releaseQuota(workloadKey(record), rollout);
  }
  return written;
}

/** Publishes an outcome, records it on the workload and counts it. */
export async function publishOutcome(ctx: Context, decided: OutboxEvent): Promise<void> {
  const event = await withLeftPods(ctx, decided);
  if (event.outcome === "stalled") await ctx.admission.stalled(event);
  if (ENDS.has(event.outcome)) {
    await ctx.admission.ended(event);
    const publish = () => ctx.publish({ ...event, ...carried() });
    await inSpan(tracer, "rollout", endSpan(event), publish);
  } else await ctx.publish(event);
  ctx.recordEvent(kubeEventOf(event));
  ctx.metrics.outcome(event);
  const { workload, rollout, reason, message, durationMs } = event.data;
  const level = event.outcome === "failed" ? "warn" : "info";
  ctx.logger[level](
    { workload, rollout, outcome: event.outcome, reason, message, durationMs },
    "rollout outcome",
  );
}

/**
 * Publishes the record's outbox, then empties it. After an interruption the next run publishes
 * again under the same ids. Throws {@link ConflictError}.
 */
export async function flushOutbox(ctx: Context, entry: RecordEntry): Promise<void> {
  if (entry.value.outbox.length === 0) return;
  for (const event of entry.value.outbox) {
    if (ENDS.has(event.outcome)) ctx.failpoint("end-written");
    await publishOutcome(ctx, event);
    if (ENDS.has(event.outcome)) ctx.failpoint("end-published");
  }
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
