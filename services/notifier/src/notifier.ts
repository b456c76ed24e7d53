import { httpPort } from "@rollcast/shared/config/load";
import type { Env } from "@rollcast/shared/config/load";
import type { Config } from "@rollcast/shared/config/schema";
import { RolloutEvent } from "@rollcast/shared/events";
import { startHealth } from "@rollcast/shared/http";
import type { Check } from "@rollcast/shared/http";
import type { Logger } from "@rollcast/shared/logger";
import { createMetrics } from "@rollcast/shared/metrics";
import type { Metrics } from "@rollcast/shared/metrics";
import { connectNats } from "@rollcast/shared/nats/connect";
import type { Nats } from "@rollcast/shared/nats/connect";
import { consume } from "@rollcast/shared/nats/consume";
import { openKv } from "@rollcast/shared/nats/kv";
import { provision } from "@rollcast/shared/nats/provision";
import { createAnnouncer } from "./announce.ts";
import { createCircuit } from "./circuit.ts";
import type { Context } from "./context.ts";
import { createJoiner } from "./joiner.ts";
import { createNotifierMetrics } from "./metrics.ts";
import { openReceivers, rateLimitOf } from "./receivers/open.ts";
import { NotifyRecord } from "./record.ts";
import { createRouter } from "./route.ts";
import { testSteps } from "./steps.ts";
import { startSweeping } from "./sweep.ts";
import { openQueues, openWorkers } from "./turns.ts";
import type { Queues } from "./turns.ts";

export type NotifierOptions = {
  config: Config;
  env: Env;
  logger: Logger;
  stack: AsyncDisposableStack;
  signal: AbortSignal;
};

/** Events handled at once: those of one group are written together, so many in hand are few writes. */
/** At the very first start of a notifier, what ended while the services were coming up is told too; not last week's outcomes. */
const FIRST_START_MS = 600_000;
const EVENTS_AT_ONCE = 128;
const SWEEP_MS = 60_000;
const WORK_PROOF_MS = 120_000;

/** Opens what the parts share. */
async function openContext(
  options: NotifierOptions,
  shared: { nats: Nats; metrics: Metrics; queues: Queues },
): Promise<Context> {
  const { config, env, logger, stack } = options;
  const { nats, queues } = shared;
  const { cluster } = config;
  const receivers = await openReceivers(config.notifier.receivers, env);
  for (const receiver of receivers.values()) stack.use(receiver);
  const circuits = new Map(Array.from(receivers.keys(), (name) => [name, createCircuit()]));
  const metrics = createNotifierMetrics(shared.metrics, circuits);
  return {
    cluster,
    records: await openKv(nats, "notify", NotifyRecord),
    receivers,
    circuits,
    route: createRouter(config.notifier, cluster),
    turns: queues.turns,
    announce: createAnnouncer({ nats, cluster, metrics, logger }),
    metrics,
    logger,
    step: testSteps(env),
  };
}

function jobsGauge(metrics: Metrics, queues: Queues): void {
  const help = "Turns by receiver (none: the groups) and state";
  metrics.gauge("rollcast_notify_jobs", help, ["receiver", "state"], async (gauge) => {
    if (queues.fault() !== undefined) return;
    for (const [receiver, counts] of await queues.counts()) {
      for (const [state, count] of Object.entries(counts)) gauge.set({ receiver, state }, count);
    }
  });
}

/** Starts the notifier: everything it opens is pushed on `stack`, in the order in which it must be closed again, last first. */
export async function startNotifier(options: NotifierOptions): Promise<void> {
  const { config, env, logger, stack, signal } = options;
  const { cluster } = config;
  const metrics = createMetrics();
  const state = { ready: false };
  const ready: Record<string, Check> = {
    start: () => (state.ready ? undefined : "not started"),
  };
  const live: Record<string, Check> = {};
  stack.use(await startHealth({ port: httpPort(env), metrics, ready, live, logger }));

  const nats = stack.use(
    await connectNats({ url: config.nats.url, name: "notifier", logger }, signal),
  );
  ready.nats = nats.fault;
  await provision(nats, config.nats.replicas);
  const queueOptions = {
    url: config.redis.url,
    cluster,
    logger,
    receivers: new Map(
      config.notifier.receivers
        .filter(({ none }) => none === undefined)
        .map((receiver) => [receiver.name, rateLimitOf(receiver)]),
    ),
  };
  const queues = stack.use(await openQueues(queueOptions));
  ready.redis = queues.fault;
  jobsGauge(metrics, queues);

  const ctx = await openContext(options, { nats, metrics, queues });
  const workers = stack.use(await openWorkers(ctx, queueOptions, signal));
  ready.workers = workers.fault;
  live.groups = async () => {
    if (queues.fault() !== undefined || Date.now() - workers.lastGroup() < WORK_PROOF_MS) return;
    if ((await queues.waitingGroups()) > 0) return "groups wait and none was taken for two minutes";
    return;
  };
  const sweeping = stack.use(startSweeping(ctx, SWEEP_MS));
  queues.onReconnect(() => sweeping.now("redis-reconnect"));
  nats.onReconnect(() => sweeping.now("nats-reconnect"));

  const join = createJoiner(ctx);
  const consuming = stack.use(
    await consume(nats, {
      durable: `notifier-${cluster}`,
      filter: `rollcast.v1.${cluster}.rollout.>`,
      schema: RolloutEvent,
      concurrency: EVENTS_AT_ONCE,
      from: { lastMs: FIRST_START_MS },
      handle: async (event) => {
        await Promise.all(ctx.route(event).map((membership) => join(event, membership)));
        ctx.step("event-joined");
      },
    }),
  );
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be routed", [], async (gauge) => {
    if (nats.fault() === undefined) gauge.set(await consuming.pending());
  });
  live.consumer = () =>
    nats.fault() === undefined && Date.now() - consuming.lastHeard() > WORK_PROOF_MS
      ? "nothing was heard of the event stream for two minutes"
      : undefined;
  state.ready = true;
  logger.info({ cluster, receivers: config.notifier.receivers.length }, "notifier started");
}
