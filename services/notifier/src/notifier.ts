import { watchConfig } from "@rollcast/runtime/config/watch";
import { RolloutEvent } from "@rollcast/shared/events";
import type { Host } from "@rollcast/host/host";
import { firstFailure, liveness } from "@rollcast/runtime/health/liveness";
import type { Metrics } from "@rollcast/runtime/metrics";
import { consume } from "@rollcast/nats/consume";
import { openKv } from "@rollcast/nats/kv";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import type { JetStreamResources } from "@rollcast/nats/provision";
import { servingFault } from "@rollcast/nats/serving";
import { waitProvisioned } from "@rollcast/nats/wait-provisioned";
import { createJoiner } from "./group/joiner.ts";
import { notifierChecks } from "./health.ts";
import { openReceiverReloader } from "./receiver-reloader.ts";
import { createPacer } from "./http/pacer.ts";
import type { ReceiverDeps } from "./receivers/receiver-options.ts";
import { NotifyRecord } from "./model/notify-record.ts";
import { openFailpoints } from "./failpoints.ts";
import { startResync } from "./resync/resync.ts";
import { openDeliveryQueues } from "./queue/delivery-queues.ts";
import type { DeliveryQueues } from "./queue/delivery-queues.ts";
import { openWorkers } from "./queue/workers.ts";
import { createContext } from "./create-context.ts";

const USES: JetStreamResources = {
  streams: [EVENT_STREAM, DEAD_LETTER_STREAM],
  buckets: ["notify"],
};

/**
 * The very first notifier also delivers what happened while the services were starting, but not
 * last week's outcomes.
 */
const FIRST_START_MS = 600_000;

/**
 * Maximum number of events handled at once. Those of one group are written together, so many events
 * cause few writes.
 */
const EVENT_CONCURRENCY = 128;
const RESYNC_INTERVAL_MS = 60_000;

/**
 * A Slack channel accepts about one message per second:
 * https://docs.slack.dev/apis/web-api/rate-limits
 */
const CHANNEL_GAP_MS = 1_000;

function jobsGauge(metrics: Metrics, queues: DeliveryQueues): void {
  const help = "Jobs by receiver (empty for groups) and state";
  metrics.gauge("rollcast_notify_jobs", help, ["receiver", "state"], async (gauge) => {
    gauge.reset();
    if (queues.fault() !== undefined) return;
    for (const [receiver, counts] of await queues.counts()) {
      for (const [state, count] of Object.entries(counts)) gauge.set({ receiver, state }, count);
    }
  });
}

/** Starts the notifier in its host. */
export async function startNotifier(host: Host): Promise<void> {
  const { config, env, live, logger, metrics, nats, ready, signal, stack, tracer } = host;
  const { cluster } = config;
  await waitProvisioned(nats, config.nats.replicas, USES, signal);
  const deps: ReceiverDeps = {
    env,
    cluster,
    records: await openKv(nats, "notify", NotifyRecord),
    logger,
    failpoint: openFailpoints(env),
    pace: createPacer(CHANNEL_GAP_MS),
  };
  const reloader = stack.use(await openReceiverReloader(config, deps));
  const queueOptions = { ...config.redis, cluster, logger };
  const queues = stack.use(await openDeliveryQueues(queueOptions));
  ready.redis = queues.probe;
  jobsGauge(metrics, queues);

  const ctx = createContext(deps, { nats, metrics, queues, reloader, tracer });
  const workers = stack.use(await openWorkers(ctx, queueOptions, signal));
  ready.workers = workers.fault;
  const parts = { ctx, queues, workers, resync: () => resync.now("ConfigReloaded") };
  await reloader.apply(config, { ...parts, resync: () => undefined });
  const resync = stack.use(startResync(ctx, RESYNC_INTERVAL_MS));
  queues.onReconnect(() => resync.now("RedisReconnected"));
  nats.onReconnect(() => resync.now("NatsReconnected"));

  const join = createJoiner(ctx);
  const route = async (event: RolloutEvent) => {
    const { memberships, refused } = ctx.route(event);
    if (refused.length > 0) {
      const data = { workload: event.data.workload, refused };
      logger.warn(data, "ignoring receivers in the annotation of a workload");
    }
    await Promise.all(memberships.map((membership) => join(event, membership)));
    ctx.failpoint("event-joined");
  };
  const consumer = stack.use(
    await consume(nats, {
      durable: `notifier-${cluster}`,
      filter: `rollcast.v1.${cluster}.rollout.>`,
      schema: RolloutEvent,
      concurrency: EVENT_CONCURRENCY,
      from: { lastMs: FIRST_START_MS },
      handle: (event) =>
        tracer.span("route", { kind: "consumer", parent: event.traceparent }, () => route(event)),
    }),
  );
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be routed", [], async (gauge) => {
    if (nats.fault() === undefined) gauge.set(await consumer.pending());
  });
  live.work = liveness({
    stallTimeoutMs: config.health.stallTimeout,
    suppressedBy: () => firstFailure([servingFault(nats), queues.probe()]),
    progress: () => notifierChecks({ consumer, resync, queues, workers }),
  });
  const { api } = config.notifier;
  if (api !== undefined) {
    const fault = () => nats.fault() ?? queues.fault();
    const current = () => reloader.config.notifier;
    // Imported only when the API is configured: its framework and schemas take megabytes.
    const { startNotifierApi } = await import("./api/start-api.ts");
    stack.use(await startNotifierApi({ ctx, config: current, api, nats, metrics, fault }));
  }
  stack.use(
    watchConfig({
      env,
      logger,
      metrics,
      apply: (next) => reloader.apply(next, parts),
      also: reloader.fingerprint,
    }),
  );
  logger.info({ cluster, receivers: config.notifier.receivers.length }, "notifier started");
}
