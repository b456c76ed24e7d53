import { followNamespaceLabels } from "@rollcast/kube/namespace-labels";
import { servingFault } from "@rollcast/nats/serving";
import { firstFault, liveness } from "@rollcast/runtime/health/liveness";
import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import { describeSelf } from "./api/self.ts";
import { createContext } from "./create-context.ts";
import type { RestarterHost } from "./create-context.ts";
import { startTellingFaults } from "./events/annotation-faults.ts";
import { startTellingRefusals } from "./events/queue-refusals.ts";
import { restarterSigns } from "./health.ts";
import { followKinds } from "./index/kinds.ts";
import { followSourceNames } from "./index/source-names.ts";
import { needsNamespaceLabels } from "./model/queue-assignment.ts";
import { splitKey } from "./model/workload.ts";
import { startSteering } from "./queue/apply-settings.ts";
import { startQueueMetrics } from "./queue/queue-metrics.ts";
import { openQueues } from "./queue/rollout-queues.ts";
import { startSourceConsumer } from "./queue/source-consumer.ts";
import { startProgressMetrics } from "./reconcile/progress-metrics.ts";
import { startFollowing } from "./reconcile/progress-watch.ts";
import { settle } from "./reconcile/reconcile.ts";
import { startSweeping } from "./reconcile/resync.ts";
import { createSettler } from "./reconcile/workqueue.ts";
import { roll } from "./rollout/roll.ts";

const SETTLE_AT_ONCE = 32;
/** Patches at once in one process: more would only wait in the API server. */
const PATCHES_AT_ONCE = 40;

/** Starts the restarter in its host. */
export async function startRestarter(host: RestarterHost): Promise<void> {
  const { config, kube, live, logger, metrics, nats, ready, signal, stack } = host;
  const { cluster } = config;
  const { ctx, control, followable, instance, late, served } = await createContext(host);

  const queues = stack.use(
    await openQueues({
      redis: config.redis,
      cluster,
      queues: config.queues,
      gates: control.gates,
      workload: ctx.index.get,
      logger,
      maxConcurrency: PATCHES_AT_ONCE,
    }),
  );
  ready.redis = queues.probe;
  startQueueMetrics(metrics, ctx, queues);
  const settler = stack.use(
    createSettler(
      async (key) => {
        await queues.takeLeft(key, await settle(ctx, key));
      },
      SETTLE_AT_ONCE,
      logger,
    ),
  );
  late.request = settler.request;
  startTellingFaults(ctx);
  startTellingRefusals(ctx, control.placing.of);
  await followSourceNames(ctx.names, { sources: ctx.sources, cluster, logger, signal });
  const following = startFollowing(ctx, settler.request, signal);
  startProgressMetrics(metrics, following);
  if (needsNamespaceLabels(config)) {
    const { relabel: onLabels } = control.placing;
    const labels = stack.use(followNamespaceLabels({ client: kube, logger, signal, onLabels }));
    ready.namespaces = labels.fault;
    await labels.synced;
  }
  const followed = followKinds(
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
    followable,
  );
  host.notes.push(followed.notes);
  await followed.known;
  ready.watch = followed.ready;

  const queueNames = config.queues.map(({ name }) => name);
  stack.use(startSteering(ctx, control, { queues, following, names: queueNames }));
  const worked = await queues.work(stack, (key, attempt) => roll(ctx, key, attempt));
  ready.worker = () => firstFault(worked.map(({ work }) => work.fault()));
  const sweeping = stack.use(startSweeping(ctx, settler, following, config.rollout.sweepInterval));
  for (const turns of queues.all()) turns.onReconnect(() => sweeping.now("redis-reconnect"));
  nats.onReconnect(() => sweeping.now("nats-reconnect"));
  const consuming = stack.use(await startSourceConsumer(ctx, nats, metrics, { queues, settler }));
  const still = liveness({
    stillAfterMs: config.health.stillAfter,
    explained: () => firstFault([servingFault(nats), queues.probe()]),
    signs: () => restarterSigns({ kinds: followed, consuming, sweeping, worked }),
  });
  live.work = still;
  if (config.restarter.api !== undefined) {
    // Only where it is on: the framework and the schemas of the API are megabytes.
    const { openRestarterApi } = await import("./api/start-api.ts");
    const api = await openRestarterApi({
      ctx,
      operations: control.operations,
      nats,
      config: config.restarter.api,
      metrics,
      fault: () => nats.fault() ?? queues.fault(),
      queueOf: (workload) =>
        workload === undefined ? DEFAULT_QUEUE : control.gates.queueOf(workload),
      takeTurn: (key) => queues.of(ctx.index.get(key)).takeNow(splitKey(key)),
      self: () =>
        describeSelf({
          instance,
          nats,
          consuming,
          kinds: followed,
          redisFault: queues.probe,
          still,
        }),
    });
    stack.use(api);
  }
  logger.info({ cluster, mode: config.mode, workloads: ctx.index.size() }, "restarter started");
}
