import { watchNamespaceLabels } from "@rollcast/kube/namespace-labels";
import { servingFault } from "@rollcast/nats/serving";
import { firstFailure, liveness } from "@rollcast/runtime/health/liveness";
import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import { describeSelf } from "./api/self.ts";
import { createContext } from "./create-context.ts";
import type { RestarterHost } from "./create-context.ts";
import { watchAnnotationFaults } from "./events/annotation-faults.ts";
import { watchQueueRejections } from "./events/queue-rejections.ts";
import { restarterChecks } from "./health.ts";
import { watchKinds } from "./index/kinds.ts";
import { watchSourceNames } from "./index/source-names.ts";
import { needsNamespaceLabels } from "./model/queue-assignment.ts";
import { splitKey } from "./model/workload.ts";
import { startApplyingSettings } from "./queue/apply-settings.ts";
import { startQueueMetrics } from "./queue/queue-metrics.ts";
import { openRolloutQueues } from "./queue/rollout-queues.ts";
import { startSourceConsumer } from "./queue/source-consumer.ts";
import { failingNotes, startFailingMetric } from "./reconcile/failing-workloads.ts";
import { startProgressMetrics } from "./reconcile/progress-metrics.ts";
import { startProgressWatch } from "./reconcile/progress-watch.ts";
import { reconcile } from "./reconcile/reconcile.ts";
import { startResync } from "./reconcile/resync.ts";
import { createWorkqueue } from "./reconcile/workqueue.ts";
import { roll } from "./rollout/roll.ts";

const RECONCILE_CONCURRENCY = 32;
/** Concurrent patches per process: more would only wait in the API server. */
const MAX_PATCHES = 40;

/** Starts the restarter in its host. */
export async function startRestarter(host: RestarterHost): Promise<void> {
  const { config, kube, live, logger, metrics, nats, ready, signal, stack } = host;
  const { cluster } = config;
  const { ctx, control, watchable, instance, onSourceNamed, served } = await createContext(host);

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
  ready.redis = queues.probe;
  startQueueMetrics(metrics, ctx, queues);
  const workqueue = stack.use(
    createWorkqueue(
      async (key) => {
        await queues.requeue(key, await reconcile(ctx, key));
      },
      { concurrency: RECONCILE_CONCURRENCY, logger },
    ),
  );
  startFailingMetric(metrics, workqueue);
  onSourceNamed.enqueue = workqueue.enqueue;
  watchAnnotationFaults(ctx);
  watchQueueRejections(ctx, control.assigner.of);
  await watchSourceNames(ctx.names, { sources: ctx.sources, cluster, logger, signal });
  const progress = startProgressWatch(ctx, workqueue.enqueue, signal);
  startProgressMetrics(metrics, progress);
  if (needsNamespaceLabels(config)) {
    const { relabel: onLabels } = control.assigner;
    const labels = stack.use(watchNamespaceLabels({ client: kube, logger, signal, onLabels }));
    ready.namespaces = labels.fault;
    await labels.synced;
  }
  const watched = watchKinds(
    {
      client: kube,
      index: ctx.index,
      rules: ctx.rules,
      logger,
      signal,
      namespaces: config.scope.namespaces,
      served,
      metrics,
      stack,
    },
    watchable,
  );
  host.notes.push(watched.notes, () => failingNotes(workqueue));
  await watched.stateKnown;
  ready.watch = watched.ready;

  const queueNames = config.queues.map(({ name }) => name);
  stack.use(startApplyingSettings(ctx, control, { queues, progress, names: queueNames }));
  const worked = await queues.work(stack, (key, attempt) => roll(ctx, key, attempt));
  ready.worker = () => firstFailure(worked.map(({ work }) => work.fault()));
  const resync = stack.use(startResync(ctx, workqueue, progress, config.rollout.resyncInterval));
  for (const queue of queues.all()) queue.onReconnect(() => resync.now("redis-reconnect"));
  nats.onReconnect(() => resync.now("nats-reconnect"));
  const consuming = stack.use(await startSourceConsumer(ctx, nats, metrics, { queues, workqueue }));
  const still = liveness({
    stallTimeoutMs: config.health.stallTimeout,
    suppressedBy: () => firstFailure([servingFault(nats), queues.probe()]),
    progress: () => restarterChecks({ kinds: watched, consuming, resync, worked }),
  });
  live.work = still;
  if (config.restarter.api !== undefined) {
    // Loaded only if enabled: the framework and the API schemas take megabytes.
    const { openRestarterApi } = await import("./api/start-api.ts");
    const api = await openRestarterApi({
      ctx,
      operations: control.operations,
      nats,
      config: config.restarter.api,
      metrics,
      fault: () => nats.fault() ?? queues.fault(),
      queueOf: (workload) =>
        workload === undefined ? DEFAULT_QUEUE : control.admission.queueOf(workload),
      enqueueJob: (key) => queues.of(ctx.index.get(key)).enqueueNow(splitKey(key)),
      self: () =>
        describeSelf({
          instance,
          nats,
          consuming,
          kinds: watched,
          redisFault: queues.probe,
          still,
        }),
    });
    stack.use(api);
  }
  logger.info({ cluster, mode: config.mode, workloads: ctx.index.size() }, "restarter started");
}
