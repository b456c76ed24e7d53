import type { KubeClient } from "@rollcast/kube/client";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import { SourceEvent, rolloutEvent } from "@rollcast/shared/events";
import { followNamespaceLabels } from "@rollcast/kube/namespace-labels";
import type { Host } from "@rollcast/host/host";
import { firstFault, liveness } from "@rollcast/runtime/health/liveness";
import type { Nats } from "@rollcast/nats/connect";
import { consume } from "@rollcast/nats/consume";
import { openKv } from "@rollcast/nats/kv";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/provision";
import type { Uses } from "@rollcast/nats/provision";
import { awaitProvisioned } from "@rollcast/nats/provisioned";
import { publish } from "@rollcast/nats/publish";
import { servingFault } from "@rollcast/nats/serving";
import { SourceRecord } from "@rollcast/shared/records";
import { rolloutSubject } from "@rollcast/shared/subjects";
import { startTellingFaults } from "./events/annotation-faults.ts";
import { describeSelf } from "./api/self.ts";
import { awaitInstallation } from "./wait-installation.ts";
import { openControl } from "./operations/control.ts";
import { startSteering } from "./queue/apply-settings.ts";
import type { Context } from "./context.ts";
import { startFollowing } from "./reconcile/progress-watch.ts";
import { restarterSigns } from "./health.ts";
import { followKinds, kindsOf } from "./index/kinds.ts";
import { createTeller } from "./events/kube-events.ts";
import { createRestarterMetrics } from "./metrics.ts";
import { notifyOf } from "./events/notify.ts";
import { plan } from "./queue/planner.ts";
import { WorkloadRecord } from "./model/workload-record.ts";
import type { Outcome } from "./model/workload-record.ts";
import { startQueueMetrics } from "./queue/queue-metrics.ts";
import { startTellingRefusals } from "./events/queue-refusals.ts";
import { needsNamespaceLabels } from "./model/queue-assignment.ts";
import { openQueues } from "./queue/rollout-queues.ts";
import { roll } from "./rollout/roll.ts";
import { createRules } from "./model/rules.ts";
import { settle } from "./reconcile/reconcile.ts";
import { createSettler } from "./reconcile/workqueue.ts";
import { testSteps } from "./failpoints.ts";
import { createSourceNames, followSourceNames } from "./index/source-names.ts";
import { startSweeping } from "./reconcile/resync.ts";
import { createAffected } from "./index/affected-workloads.ts";
import { carried } from "@rollcast/runtime/tracing/trace";
import { planSpan, tracedBy } from "./events/spans.ts";
import { createWorkloadIndex } from "./index/workload-index.ts";
import type { WorkloadIndex } from "./index/workload-index.ts";
import { splitKey, workloadKey } from "./model/workload.ts";
import type { WorkloadKey } from "./model/workload.ts";

export type RestarterHost = Host & { readonly kube: KubeClient };

const USES: Uses = {
  streams: [EVENT_STREAM, DEAD_LETTER_STREAM],
  buckets: ["sources", "workloads", "control"],
};

const SETTLE_AT_ONCE = 32;
const PLAN_AT_ONCE = 8;
/** Patches at once in one process: more would only wait in the API server. */
const PATCHES_AT_ONCE = 40;

function publisher(nats: Nats, cluster: string, index: WorkloadIndex, signal: AbortSignal) {
  return async (outcome: Outcome) => {
    const parts = { id: outcome.id, cluster, service: "restarter", time: outcome.time };
    const workload = index.get(workloadKey(outcome.data.workload));
    const data = { ...outcome.data, ...notifyOf(workload?.annotations) };
    const event = rolloutEvent(parts, outcome.word, data);
    const subject = rolloutSubject(cluster, outcome.word, outcome.data.workload);
    await publish(nats, subject, { ...event, ...carried(), ...tracedBy(outcome) }, signal);
  };
}

/** Starts the restarter in its host. */
export async function startRestarter(host: RestarterHost): Promise<void> {
  const { config, env, kube, live, logger, metrics, nats, ready, signal, stack, tracer } = host;
  const { cluster } = config;
  const own = createRestarterMetrics(metrics);
  await awaitProvisioned(nats, config.nats.replicas, USES, signal);
  const installation = await awaitInstallation(nats, cluster, signal);

  // Work in hand is finished after the intake has stopped, so its calls must not end with `signal`.
  const ending = new AbortController();
  stack.defer(() => ending.abort());
  const kinds = new Map<string, WorkloadKind>();
  const followable = kindsOf(config);
  const rules = createRules(
    config.reload,
    // What a CronJob runs is never made again, whether CronJobs are followed or not.
    [...followable.map((kind) => kind.kind), "CronJob"],
  );
  const index = createWorkloadIndex(rules);
  const patching = { count: 0 };
  const instance = env.POD_NAME ?? env.HOSTNAME ?? "restarter";
  const teller = stack.use(
    createTeller({
      kube,
      kinds,
      instance,
      busy: () => patching.count > 0,
      logger,
    }),
  );
  const late: { request: (key: WorkloadKey) => void } = { request: () => undefined };
  const names = createSourceNames(rules.patterns, (source) => {
    for (const workload of index.usersOf(source)) late.request(workloadKey(workload));
  });
  const control = await openControl({
    config,
    nats,
    workload: index.get,
    logger,
    signal,
    ending: ending.signal,
  });
  const ctx: Context = {
    cluster,
    mode: config.mode,
    breaker: config.rollout.loopBreaker,
    stalledAfterMs: config.rollout.stalledAfter,
    installedAt: installation.installedAt,
    rules,
    names,
    affected: createAffected(index, rules),
    kinds,
    kube,
    index,
    records: await openKv(nats, "workloads", WorkloadRecord),
    sources: await openKv(nats, "sources", SourceRecord),
    logger,
    metrics: own,
    tracer,
    gates: control.gates,
    publish: publisher(nats, cluster, index, ending.signal),
    tell: teller.tell,
    patching,
    step: testSteps(env),
  };

  const queues = stack.use(
    await openQueues({
      redis: config.redis,
      cluster,
      queues: config.queues,
      gates: control.gates,
      workload: index.get,
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
  await followSourceNames(names, { sources: ctx.sources, cluster, logger, signal });
  const following = startFollowing(ctx, settler.request, signal);
  metrics.gauge("rollcast_workloads_followed", "Workloads that are not settled", [], (g) =>
    g.set(following.count()),
  );
  metrics.gauge(
    "rollcast_stale_workloads",
    "Workloads whose pods do not run the present content of their sources",
    [],
    (g) => g.set(following.stale().count),
  );
  metrics.gauge(
    "rollcast_stale_workloads_oldest_seconds",
    "How long the longest of them has been so",
    [],
    (g) => {
      const { since } = following.stale();
      g.set(since === undefined ? 0 : (Date.now() - since) / 1_000);
    },
  );
  if (needsNamespaceLabels(config)) {
    const { relabel: onLabels } = control.placing;
    const labels = stack.use(followNamespaceLabels({ client: kube, logger, signal, onLabels }));
    ready.namespaces = labels.fault;
    await labels.synced;
  }
  const followed = followKinds(
    {
      client: kube,
      index,
      rules,
      logger,
      signal,
      namespaces: config.scope.namespaces,
      served: (kind) => kinds.set(kind.kind, kind),
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
  const consuming = stack.use(
    await consume(nats, {
      durable: `restarter-${cluster}`,
      filter: `rollcast.v1.${cluster}.source.>`,
      schema: SourceEvent,
      concurrency: PLAN_AT_ONCE,
      handle: (event) =>
        tracer.span("plan", planSpan(event), () =>
          plan(ctx, queues, event, (workload) => settler.request(workloadKey(workload))),
        ),
    }),
  );
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be planned", [], async (g) => {
    if (nats.fault() === undefined) g.set(await consuming.pending());
  });
  const still = liveness({
    stillAfterMs: config.health.stillAfter,
    explained: () => firstFault([servingFault(nats), queues.probe()]),
    signs: () => restarterSigns({ kinds: followed, consuming, sweeping, worked }),
  });
  live.work = still;
  const fault = () => nats.fault() ?? queues.fault();
  if (config.restarter.api !== undefined) {
    // Only where it is on: the framework and the schemas of the API are megabytes.
    const { openRestarterApi } = await import("./api/start-api.ts");
    const api = await openRestarterApi({
      ctx,
      operations: control.operations,
      nats,
      config: config.restarter.api,
      metrics,
      fault,
      queueOf: (workload) =>
        workload === undefined ? DEFAULT_QUEUE : control.gates.queueOf(workload),
      takeTurn: (key) => queues.of(index.get(key)).takeNow(splitKey(key)),
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
  logger.info({ cluster, mode: config.mode, workloads: index.size() }, "restarter started");
}
