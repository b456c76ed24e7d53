import type { Metrics } from "@rollcast/runtime/metrics";
import type { Tracer } from "@rollcast/runtime/tracing/trace";
import type { Nats } from "@rollcast/nats/connect";
import { createAnnouncer } from "./events/publish-outcome.ts";
import type { Context } from "./context.ts";
import type { Live } from "./receiver-reloader.ts";
import { createNotifierMetrics } from "./metrics.ts";
import type { ReceiverDeps } from "./receivers/receiver-options.ts";
import type { Queues } from "./queue/delivery-queues.ts";

/** Opens what the parts share. */
export function openContext(
  deps: ReceiverDeps,
  shared: { nats: Nats; metrics: Metrics; queues: Queues; live: Live; tracer: Tracer },
): Context {
  const { nats, queues, live } = shared;
  const { cluster, logger, step } = deps;
  const metrics = createNotifierMetrics(shared.metrics, () => live.setup.circuits);
  return {
    cluster,
    records: deps.records,
    get receivers() {
      return live.setup.receivers;
    },
    get circuits() {
      return live.setup.circuits;
    },
    route: (event) => live.setup.route(event),
    turns: queues.turns,
    announce: createAnnouncer({ nats, cluster, metrics, logger }),
    metrics,
    tracer: shared.tracer,
    logger,
    step,
  };
}
