import { watchConfig } from "@rollcast/runtime/config/watch";
import type { Host } from "@rollcast/host/host";
import { createContext } from "./create-context.ts";
import { startEventConsumer } from "./group/event-consumer.ts";
import { notifierHealth } from "./health.ts";
import { jobsGauge, openWorkers } from "./queue/delivery-queues.ts";
import { startResync } from "./resync/resync.ts";

const RESYNC_INTERVAL_MS = 60_000;

/** Starts the notifier in its host. */
export async function startNotifier(host: Host): Promise<void> {
  const { config, env, logger, metrics, nats, signal, stack } = host;
  const { cluster } = config;
  const { ctx, queues, reloader } = await createContext(host);
  host.health.add({ redis: { outage: queues.probe } });
  jobsGauge(metrics, queues);

  const workers = stack.use(await openWorkers(ctx, { ...config.redis, cluster, logger }, signal));
  const parts = { ctx, queues, workers, resync: () => resync.now("ConfigReloaded") };
  await reloader.apply(config, { ...parts, resync: () => undefined });
  const resync = stack.use(startResync(ctx, RESYNC_INTERVAL_MS));
  queues.onReconnect(() => resync.now("RedisReconnected"));
  nats.onReconnect(() => resync.now("NatsReconnected"));

  const consumer = stack.use(await startEventConsumer(ctx, metrics));
  const circuits = () => ctx.registry.circuits;
  host.health.add(notifierHealth({ consumer, resync, queues, workers, circuits }));
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
