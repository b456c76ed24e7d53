import type { Nats } from "@rollcast/nats/connect";
import { consume } from "@rollcast/nats/consume";
import type { Consuming } from "@rollcast/nats/consume";
import { inSpan } from "@rollcast/runtime/trace";
import type { Metrics } from "@rollcast/runtime/metrics";
import { SourceEvent } from "@rollcast/shared/events";
import type { Context } from "../context.ts";
import { planSpan, tracer } from "../events/spans.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workqueue } from "../reconcile/workqueue.ts";
import { plan } from "./plan.ts";
import type { RolloutQueues } from "./rollout-queues.ts";

const PLAN_CONCURRENCY = 8;

/** Consumes the events of sources and plans each, until disposal. */
export async function startSourceConsumer(
  ctx: Context,
  nats: Nats,
  metrics: Metrics,
  { queues, workqueue }: { readonly queues: RolloutQueues; readonly workqueue: Workqueue },
): Promise<Consuming> {
  const consuming = await consume(nats, {
    durable: `restarter-${ctx.cluster}`,
    filter: `rollcast.v1.${ctx.cluster}.source.>`,
    schema: SourceEvent,
    concurrency: PLAN_CONCURRENCY,
    handle: (event) =>
      inSpan(tracer, "plan", planSpan(event), () =>
        plan(ctx, queues, event, (workload) => workqueue.enqueue(workloadKey(workload))),
      ),
  });
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be planned", [], async (g) => {
    if (nats.fault() === undefined) g.set(await consuming.pending());
  });
  return consuming;
}
