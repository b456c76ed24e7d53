import { watchConfig } from "@rollcast/runtime/config/watch";
import type { Host } from "@rollcast/host/host";
import type { Metrics } from "@rollcast/runtime/metrics";
import { openKv } from "@rollcast/nats/kv";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import type { JetStreamResources } from "@rollcast/nats/provision";
import { waitProvisioned } from "@rollcast/nats/wait-provisioned";
import { openFailpoints } from "@rollcast/runtime/failpoints";
import { startEventConsumer } from "./group/event-consumer.ts";
import { notifierHealth } from "./health.ts";
import { openReceiverReloader } from "./receiver-reloader.ts";
import type { ReceiverDeps } from "./receivers/receiver.ts";
import { createPacer } from "./receivers/slack-api.ts";
import { NotifyRecord } from "./model/notify-record.ts";
import { startResync } from "./resync/resync.ts";
import { openDeliveryQueues, openWorkers } from "./queue/delivery-queues.ts";
import type { DeliveryQueues } from "./queue/delivery-queues.ts";
import type { Context } from "./context.ts";
import { createNotifierMetrics } from "./metrics.ts";

const USES: JetStreamResources = {
  streams: [EVENT_STREAM, DEAD_LETTER_STREAM],
  buckets: ["notify"],
};

const RESYNC_INTERVAL_MS = 60_000;

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
  const { config, env, logger, metrics, nats, signal, stack } = host;
  const { cluster } = config;
  await waitProvisioned(nats, config.nats.replicas, USES, signal);
  const deps: ReceiverDeps = {
    env,
    cluster,
    records: await openKv(nats, "notify", NotifyRecord),
    logger,
    failpoint: openFailpoints(env),
    pace: createPacer(),
  };
  const reloader = stack.use(await openReceiverReloader(config, deps));
  const queueOptions = { ...config.redis, cluster, logger };
  const queues = stack.use(await openDeliveryQueues(queueOptions));
  host.health.add({ redis: { outage: queues.probe } });
  jobsGauge(metrics, queues);

  const { registry } = reloader;
  const ctx: Context = {
    ...deps,
    nats,
    registry,
    jobs: queues.jobs,
    metrics: createNotifierMetrics(metrics, () => registry.circuits),
  };
  const workers = stack.use(await openWorkers(ctx, queueOptions, signal));
  const parts = { ctx, queues, workers, resync: () => resync.now("ConfigReloaded") };
  await reloader.apply(config, { ...parts, resync: () => undefined });
  const resync = stack.use(startResync(ctx, RESYNC_INTERVAL_MS));
  queues.onReconnect(() => resync.now("RedisReconnected"));
  nats.onReconnect(() => resync.now("NatsReconnected"));

  const consumer = stack.use(await startEventConsumer(ctx, metrics));
  host.health.add(notifierHealth({ consumer, resync, queues, workers }));
  const { api } = config.notifier;
  if (api !== undefined) {
    const fault = () => nats.fault() ?? queues.fault();
    const current = () => reloader.config.notifier;
    // Imported only when the API is configured: its schemas take megabytes.
    const { startNotifierApi } = await import("./api/start-api.ts");
    stack.use(await startNotifierApi({ ctx, config: current, api, metrics, fault }));
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
