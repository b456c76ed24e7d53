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
  const outcome = await withLeftPods(ctx, decided);
  if (outcome.outcome === "stalled") await ctx.admission.stalled(outcome);
  if (ENDS.has(outcome.outcome)) {
    await ctx.admission.ended(outcome);
    const publish = () => ctx.publish({ ...outcome, ...carried() });
    await ctx.tracer.span("rollout", endSpan(outcome), publish);
  } else await ctx.publish(outcome);
  ctx.recordEvent(kubeEventOf(outcome));
  ctx.metrics.outcome(outcome);
  const { workload, rollout, reason, message, durationMs } = outcome.data;
  const level = outcome.outcome === "failed" ? "warn" : "info";
  ctx.logger[level](
    { workload, rollout, outcome: outcome.outcome, reason, message, durationMs },
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
  for (const outcome of entry.value.outbox) {
    if (ENDS.has(outcome.outcome)) ctx.failpoint("end-written");
    await publishOutcome(ctx, outcome);
    if (ENDS.has(outcome.outcome)) ctx.failpoint("end-published");
  }
  return commit(ctx, entry, { ...entry.value, outbox: [] });
}
