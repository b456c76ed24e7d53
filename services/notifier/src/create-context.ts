import type { Metrics } from "@rollcast/runtime/metrics";
import type { Nats } from "@rollcast/nats/connect";
import { createOutcomePublisher } from "./events/publish-outcome.ts";
import type { Context } from "./context.ts";
import type { ReceiverReloader } from "./receiver-reloader.ts";
import { createNotifierMetrics } from "./metrics.ts";
import type { ReceiverDeps } from "./receivers/receiver.ts";
import type { DeliveryQueues } from "./queue/delivery-queues.ts";

/** Creates the context of a notifier. */
export function createContext(
  deps: ReceiverDeps,
  shared: {
    nats: Nats;
    metrics: Metrics;
    queues: DeliveryQueues;
    reloader: ReceiverReloader;
  },
): Context {
  const { nats, queues, reloader } = shared;
  const { cluster, logger, failpoint } = deps;
  const metrics = createNotifierMetrics(shared.metrics, () => reloader.registry.circuits);
  return {
    cluster,
    records: deps.records,
    get receivers() {
      return reloader.registry.receivers;
    },
    get circuits() {
      return reloader.registry.circuits;
    },
    route: (event) => reloader.registry.route(event),
    jobs: queues.jobs,
    publishOutcome: createOutcomePublisher({ nats, cluster, metrics, logger }),
    metrics,
    logger,
    failpoint,
  };
}
