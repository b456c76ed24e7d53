import { createContext } from "./create-context.ts";
import type { RestarterHost } from "./create-context.ts";
import { restarterHealth } from "./health.ts";
import { openApiIfConfigured } from "./open-api.ts";
import { startApplyingSettings } from "./queue/apply-settings.ts";
import { startQueueMetrics } from "./queue/queue-metrics.ts";
import { openRolloutQueues } from "./queue/rollout-queues.ts";
import { startSourceConsumer } from "./queue/plan.ts";
import { startReconciler } from "./reconcile/reconciler.ts";
import { startResync } from "./reconcile/resync.ts";
import { roll } from "./rollout/roll.ts";
import { startIndex } from "./start-index.ts";

/** Concurrent patches per process: more would only wait in the API server. */
const MAX_PATCHES = 40;

/** Starts the restarter in its host. */
export async function startRestarter(host: RestarterHost): Promise<void> {
  const { config, health, logger, metrics, nats, signal, stack } = host;
  const { cluster } = config;
  const created = await createContext(host);
  const { ctx, control, others, onSourceNamed } = created;

  const queues = stack.use(
    await openRolloutQueues({
      redis: config.redis,
      cluster,
      queues: config.queues,
      admission: control.admission,
      workload: ctx.index.get,
      logger,
      maxConcurrency: MAX_PATCHES,
    }),
  );
  health.add({ redis: { outage: queues.probe } });
  startQueueMetrics(metrics, ctx, queues);

  const { requeue } = queues;
  const { promise: indexed, resolve: onIndexed } = Promise.withResolvers<void>();
  const reconciler = stack.use(startReconciler(ctx, { indexed, metrics, requeue, signal }));
  const { progress, workqueue } = reconciler;
  onSourceNamed.enqueue = workqueue.enqueue;
  const index = startIndex(host, created);
  health.add(index.health);
  const kinds = await index.filled;
  onIndexed();
  others.reportPresent();

  const names = config.queues.map(({ name }) => name);
  stack.use(startApplyingSettings(ctx, control, { queues, progress, names }));
  const workers = await queues.work(stack, roll.bind(undefined, ctx));

  const resync = stack.use(startResync(ctx, workqueue, progress, config.rollout.resyncInterval));
  for (const queue of queues.all()) queue.onReconnect(() => resync.now("redis-reconnect"));
  nats.onReconnect(() => resync.now("nats-reconnect"));

  const consumer = stack.use(await startSourceConsumer(ctx, nats, metrics, { queues, workqueue }));
  const { admission } = ctx;
  health.add(restarterHealth({ kinds, consumer, resync, workers, workqueue, admission, others }));
  await openApiIfConfigured(host, created, { queues, kinds, consumer });
  logger.info({ cluster, mode: config.mode, workloads: ctx.index.size() }, "restarter started");
}
