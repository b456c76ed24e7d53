import { carried } from "@rollcast/runtime/trace";
import type { Entry } from "@rollcast/nats/kv";
import { endSpan } from "../events/spans.ts";
import type { Context } from "../context.ts";
import { kubeEventOf } from "../events/kube-events.ts";
import { withLeftPods } from "./left-pods.ts";
import type { OutboxEvent, WorkloadRecord } from "../model/workload-record.ts";
import { commit } from "./commit.ts";

const ENDS = new Set(["succeeded", "failed", "superseded", "cancelled"]);

/** Publishes an outcome, records it on the workload and counts it. */
export async function publishOutcome(ctx: Context, decided: OutboxEvent): Promise<void> {
  const event = await withLeftPods(ctx, decided);
  if (event.outcome === "stalled") await ctx.admission.stalled(event);
  if (ENDS.has(event.outcome)) {
    await ctx.admission.ended(event);
    const publish = () => ctx.publish({ ...event, ...carried() });
    await ctx.tracer.span("rollout", endSpan(event), publish);
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
 * again under the same ids.
 */
export async function flushOutbox(
  ctx: Context,
  entry: Entry<WorkloadRecord>,
): Promise<Entry<WorkloadRecord> | undefined> {
  if (entry.value.outbox.length === 0) return entry;
  for (const event of entry.value.outbox) {
    if (ENDS.has(event.outcome)) ctx.failpoint("end-written");
    await publishOutcome(ctx, event);
    if (ENDS.has(event.outcome)) ctx.failpoint("end-published");
  }
  return commit(ctx, entry, { ...entry.value, outbox: [] });
}
