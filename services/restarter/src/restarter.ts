import { connectKube } from "@rollcast/kube/client";
import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import { deployment } from "@rollcast/kube/workloads/deployment";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { httpPort } from "@rollcast/shared/config/load";
import type { Env } from "@rollcast/shared/config/load";
import type { Config } from "@rollcast/shared/config/schema";
import { SourceEvent, rolloutEvent } from "@rollcast/shared/events";
import { startHealth } from "@rollcast/shared/http";
import type { Logger } from "@rollcast/shared/logger";
import { createMetrics } from "@rollcast/shared/metrics";
import { connectNats } from "@rollcast/shared/nats/connect";
import type { Nats } from "@rollcast/shared/nats/connect";
import { consume } from "@rollcast/shared/nats/consume";
import { openKv } from "@rollcast/shared/nats/kv";
import { provision } from "@rollcast/shared/nats/provision";
import { publish } from "@rollcast/shared/nats/publish";
import { SourceRecord } from "@rollcast/shared/records";
import { rolloutSubject } from "@rollcast/shared/subjects";
import { awaitInstallation } from "./await-installation.ts";
import { splitKey } from "./context.ts";
import type { Context } from "./context.ts";
import { startFollowing } from "./follow.ts";
import { createTeller } from "./kube-events.ts";
import { createRestarterMetrics } from "./metrics.ts";
import { plan } from "./planner.ts";
import { WorkloadRecord } from "./record.ts";
import type { Outcome } from "./record.ts";
import { roll } from "./roller.ts";
import { settle } from "./settle.ts";
import { createSettler } from "./settler.ts";
import { testSteps } from "./steps.ts";
import { startSweeping } from "./sweep.ts";
import { openRoller, openTurns } from "./turns.ts";
import { createWorkloadIndex } from "./workload-index.ts";
import type { WorkloadIndex } from "./workload-index.ts";
import { projectWorkload, workloadKey } from "./workload.ts";

export type RestarterOptions = {
  config: Config;
  env: Env;
  logger: Logger;
  stack: AsyncDisposableStack;
  signal: AbortSignal;
};

const KINDS: readonly WorkloadKind[] = [deployment];
const SETTLE_AT_ONCE = 32;
const PLAN_AT_ONCE = 8;
const WORK_PROOF_MS = 120_000;
/** Patches and Kubernetes Events together; more connections than patches at once would only wait in the API server. */
const CONNECTIONS = 40;

function startIndex(
  options: RestarterOptions,
  client: Context["kube"],
  index: WorkloadIndex,
): Reflector[] {
  const { config, logger, stack, signal } = options;
  const namespaces = config.scope.namespaces.length === 0 ? [undefined] : config.scope.namespaces;
  return KINDS.flatMap((kind) =>
    namespaces.map((namespace) =>
      stack.use(
        startReflector({
          client,
          resource: {
            group: kind.group,
            version: kind.version,
            plural: kind.plural,
            ...(namespace === undefined ? {} : { namespace }),
          },
          reduce: (object) => projectWorkload(kind, object),
          handler: index.handler(),
          logger,
          signal,
        }),
      ),
    ),
  );
}

function publisher(nats: Nats, cluster: string, signal: AbortSignal) {
  return async (outcome: Outcome) => {
    const parts = { id: outcome.id, cluster, service: "restarter", time: outcome.time };
    const event = rolloutEvent(parts, outcome.word, outcome.data);
    const subject = rolloutSubject(cluster, outcome.word, outcome.data.workload);
    await publish(nats, subject, event, signal);
  };
}

/** Starts the restarter: everything it opens is pushed on `stack`, in the order in which it must be closed again, last first. */
export async function startRestarter(options: RestarterOptions): Promise<void> {
  const { config, env, logger, stack, signal } = options;
  const { cluster } = config;
  const metrics = createMetrics();
  const own = createRestarterMetrics(metrics);
  const state: { ready: boolean } = { ready: false };
  const ready: Record<string, () => string | undefined> = {
    start: () => (state.ready ? undefined : "not started"),
  };
  const live: Record<string, () => string | undefined> = {};
  stack.use(await startHealth({ port: httpPort(env), metrics, ready, live, logger }));

  const nats = stack.use(
    await connectNats({ url: config.nats.url, name: "restarter", logger }, signal),
  );
  ready.nats = nats.fault;
  await provision(nats, config.nats.replicas);
  const kube = stack.use(await connectKube({ logger, connections: CONNECTIONS }));
  const installation = await awaitInstallation(nats, cluster, signal);

  // Work in hand is finished after the intake has stopped, so its calls must not end with `signal`.
  const ending = new AbortController();
  stack.defer(() => ending.abort());
  const index = createWorkloadIndex();
  const kinds = new Map(KINDS.map((kind) => [kind.kind, kind]));
  const patching = { count: 0 };
  const teller = stack.use(
    createTeller({
      kube,
      kinds,
      instance: env.POD_NAME ?? env.HOSTNAME ?? "restarter",
      busy: () => patching.count > 0,
      logger,
    }),
  );
  const ctx: Context = {
    cluster,
    mode: config.mode,
    breaker: config.rollout.loopBreaker,
    stalledAfterMs: config.rollout.stalledAfter,
    installedAt: installation.installedAt,
    kinds,
    kube,
    index,
    records: await openKv(nats, "workloads", WorkloadRecord),
    sources: await openKv(nats, "sources", SourceRecord),
    logger,
    metrics: own,
    publish: publisher(nats, cluster, ending.signal),
    tell: teller.tell,
    patching,
    step: testSteps(env),
  };

  const [queue] = config.queues;
  if (queue === undefined) throw new Error("the configuration has no queue");
  const turnsOptions = { url: config.redis.url, cluster, config: queue, logger };
  const turns = stack.use(await openTurns(turnsOptions));
  ready.redis = turns.fault;
  metrics.gauge("rollcast_queue_jobs", "Jobs by queue and state", ["queue", "state"], async (g) => {
    if (turns.fault() !== undefined) return;
    for (const [name, count] of Object.entries(await turns.counts())) {
      g.set({ queue: queue.name, state: name }, count);
    }
  });
  const settler = stack.use(
    createSettler(
      async (key) => {
        const { roll: due } = await settle(ctx, key);
        if (due) await turns.takeNow(splitKey(key));
      },
      SETTLE_AT_ONCE,
      logger,
    ),
  );
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
  const reflectors = startIndex(options, kube, index);
  metrics.gauge(
    "rollcast_watch_staleness_seconds",
    "Since the watch last proved that it delivers",
    ["resource"],
    (g) => {
      const oldest = Math.max(...reflectors.map((reflector) => reflector.staleness()));
      g.set({ resource: "deployments" }, oldest / 1_000);
    },
  );
  live.watch = () => reflectors.map((one) => one.fault()).find((fault) => fault !== undefined);
  await Promise.all(reflectors.map((reflector) => reflector.synced));

  const work = stack.use(await openRoller(turnsOptions, (key, attempt) => roll(ctx, key, attempt)));
  ready.worker = work.fault;
  const sweeping = stack.use(startSweeping(ctx, settler, following, config.rollout.sweepInterval));
  turns.onReconnect(() => sweeping.now("redis-reconnect"));
  nats.onReconnect(() => sweeping.now("nats-reconnect"));
  const consuming = stack.use(
    await consume(nats, {
      durable: `restarter-${cluster}`,
      filter: `rollcast.v1.${cluster}.source.>`,
      schema: SourceEvent,
      concurrency: PLAN_AT_ONCE,
      handle: (event) =>
        plan(ctx, turns, event, (workload) => settler.request(workloadKey(workload))),
    }),
  );
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be planned", [], async (g) => {
    if (nats.fault() === undefined) g.set(await consuming.pending());
  });
  live.consumer = () =>
    nats.fault() === undefined && Date.now() - consuming.lastHeard() > WORK_PROOF_MS
      ? "nothing was heard of the event stream for two minutes"
      : undefined;
  state.ready = true;
  logger.info({ cluster, mode: config.mode, workloads: index.size() }, "restarter started");
}
