import type { Metrics } from "@rollcast/runtime/metrics";
import type { Context } from "../context.ts";
import type { RolloutQueues } from "./rollout-queues.ts";

/** The contents of the queues; labels are bounded by the configured queues. */
export function startQueueMetrics(metrics: Metrics, ctx: Context, queues: RolloutQueues): void {
  metrics.gauge("rollcast_queue_jobs", "Jobs by queue and state", ["queue", "state"], async (g) => {
    for (const queue of queues.all()) {
      if (queue.fault() !== undefined) continue;
      for (const [state, count] of Object.entries(await queue.counts())) {
        g.set({ queue: queue.queue, state }, count);
      }
    }
  });
  metrics.gauge(
    "rollcast_queue_oldest_seconds",
    "How long the next job has been due",
    ["queue"],
    async (g) => {
      for (const queue of queues.all()) {
        if (queue.fault() !== undefined) continue;
        g.set({ queue: queue.queue }, (await queue.waitedMs()) / 1_000);
      }
    },
  );
  metrics.gauge(
    "rollcast_queue_quota_used",
    "Unfinished rollouts that use quota, in queues that bound them",
    ["queue"],
    (g) => {
      for (const { queue } of queues.all()) {
        g.set({ queue }, Object.keys(ctx.admission.state(queue).rolling).length);
      }
    },
  );
  metrics.gauge(
    "rollcast_control_unreadable",
    "Freezes, settings and quota of queues that this version cannot read: what they may hold back waits; /readyz names them",
    [],
    (g) => g.set(ctx.admission.unreadable.size),
  );
}
