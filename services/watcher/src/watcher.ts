import type { KubeClient } from "@rollcast/kube/client";
import { followNamespaces } from "@rollcast/kube/namespaces";
import type { Namespaces } from "@rollcast/kube/namespaces";
import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector, ReflectorTimes } from "@rollcast/kube/reflector";
import type { Config } from "@rollcast/shared/config/schema";
import { isAborted } from "@rollcast/shared/errors";
import { ensureInstallation, openInstallation } from "@rollcast/shared/installation";
import type { Logger } from "@rollcast/shared/logger";
import type { Metrics } from "@rollcast/shared/metrics";
import type { Nats } from "@rollcast/shared/nats/connect";
import type { WatcherContext } from "./context.ts";
import { openCoverage } from "./coverage.ts";
import { startCsi } from "./csi.ts";
import type { Csi } from "./csi.ts";
import type { InstallationKey } from "./digest.ts";
import { enterNamespace, leaveNamespace } from "./entrance.ts";
import { watcherGauges, watcherHealth } from "./health.ts";
import type { Followed, WatcherHealth } from "./health.ts";
import { createKeyedPool } from "./keyed-pool.ts";
import { keyPrefix } from "./list-pass.ts";
import { SOURCE_TYPES, narrowed } from "./kinds.ts";
import { observe, watcherMetrics } from "./metrics.ts";
import type { WatcherMetrics } from "./metrics.ts";
import { createOutbox } from "./outbox.ts";
import { createRecorder } from "./recorder.ts";
import { fixedScope, isDataUnit, selectedScope } from "./scope.ts";
import type { DataUnit, Scope } from "./scope.ts";
import { sourceHandler } from "./source-handler.ts";
import type { Step } from "./steps.ts";
import { openSourceStore } from "./store.ts";
import { startUpkeep } from "./upkeep.ts";

export type WatcherOptions = {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  nats: Nats;
  client: KubeClient;
  key: InstallationKey;
  probe: (step: Step) => void;
  /** Ends a start that waits. */
  signal: AbortSignal;
  /** Other times than the reflector's own, for tests. */
  times?: Partial<ReflectorTimes>;
};

export type Watcher = AsyncDisposable & WatcherHealth;

/** Sources in hand at once; more wait in the API server's connections. */
const IN_HAND = 256;
/** What is in hand at the end may take so long; then it is given up, and found pending at the next start. */
const FINISH_MS = 5_000;

/** Follows the namespaces that the scope selects, where it selects; their coming and going waits until the rest is open. */
function openNamespaces(
  { config, client, logger, times = {} }: WatcherOptions,
  metrics: WatcherMetrics,
  opened: Promise<Opened>,
): Namespaces | undefined {
  const { namespaceSelector, ignoreNamespaces } = config.scope;
  if (namespaceSelector === "") return undefined;
  return followNamespaces({
    client,
    labelSelector: namespaceSelector,
    ignore: ignoreNamespaces,
    logger,
    entered: async (namespace) => {
      const { context, csi } = await opened;
      await enterNamespace(context, csi, namespace);
    },
    left: async (name) => {
      const { context, csi } = await opened;
      await leaveNamespace(context, csi, name);
    },
    times,
    observe: (event) => observe(metrics, "namespaces", event),
  });
}

type Opened = { readonly context: WatcherContext; readonly csi: Csi | undefined };

async function openContext(
  options: WatcherOptions,
  metrics: WatcherMetrics,
  scope: Scope,
  signal: AbortSignal,
): Promise<WatcherContext> {
  const { config, logger, nats, key } = options;
  const { cluster } = config;
  await ensureInstallation(await openInstallation(nats), cluster, Date.now());
  const coverage = await openCoverage(nats, cluster, scope.units.flatMap(scope.covered));
  const { kv, known } = await openSourceStore({ nats, cluster, logger, signal });
  const pool = createKeyedPool(IN_HAND, (err) => {
    if (signal.aborted && isAborted(err)) return;
    metrics.refused.inc();
    logger.error({ err }, "source refused");
  });
  const outbox = createOutbox({ ...options, cluster, kv, known, metrics, signal });
  const recorder = createRecorder({ cluster, keyId: key.id, known, pool, outbox, coverage });
  const { client, times = {} } = options;
  return {
    config,
    logger,
    nats,
    client,
    key,
    times,
    metrics,
    scope,
    coverage,
    known,
    pool,
    outbox,
    recorder,
    signal,
  };
}

/** Removes the records of what is not in scope any more; coming back later, it begins with a first sync. */
async function removeOutOfScope({ known, scope, recorder, pool, logger }: WatcherContext) {
  const out = [...known.keys()].filter((key) => !scope.holds(key));
  if (out.length === 0) return;
  logger.info({ records: out.length }, "records out of scope are removed");
  for (const key of out) await recorder.forget(key);
  await pool.drain();
}

type Reflected = Followed & { readonly unit: DataUnit; readonly reflector: Reflector };

function reflect(context: WatcherContext, unit: DataUnit, intake: AbortSignal): Reflected {
  const { client, key, logger, metrics, scope, config, times } = context;
  const { namespace } = unit;
  const type = SOURCE_TYPES[unit.kind];
  const resource = narrowed(type.resource, config.scope, { namespace, byLabels: true });
  const reflector = startReflector({
    client,
    resource,
    reduce: (object) =>
      scope.reads(object.metadata.namespace ?? "") ? type.reduce(key, object) : undefined,
    handler: sourceHandler(context, unit),
    logger,
    signal: intake,
    times,
    observe: (event) => observe(metrics, resource.plural, event),
  });
  const name = namespace === undefined ? unit.kind : `${unit.kind} in ${namespace}`;
  return { unit, name, resource: resource.plural, reflector };
}

/** Lists the unit anew that holds a key. */
function relist(
  context: WatcherContext,
  reflected: readonly Reflected[],
  key: string,
  reason: string,
) {
  const found = reflected.find(({ unit }) =>
    key.startsWith(keyPrefix(context.config.cluster, unit)),
  );
  found?.reflector.relist(reason);
}

async function synced(namespaces: Namespaces, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  await Promise.race([namespaces.synced, aborted.promise]);
  signal.removeEventListener("abort", onAbort);
}

/**
 * Watches the sources in scope, records them in the bucket `sources` and publishes what changes, until disposal, which stops the intake, lets what is in hand end, and
 * gives up what does not in time.
 */
export async function startWatcher(options: WatcherOptions): Promise<Watcher> {
  const { config, logger } = options;
  await using opening = new AsyncDisposableStack();
  const stop = new AbortController();
  const intake = new AbortController();
  opening.defer(() => stop.abort());
  const metrics = watcherMetrics(options.metrics);
  const opened = Promise.withResolvers<Opened>();
  opened.promise.catch(() => undefined);
  opening.defer(() => opened.reject(new Error("the watcher was not opened")));

  const namespaces = openNamespaces(options, metrics, opened.promise);
  if (namespaces !== undefined) await synced(opening.use(namespaces), options.signal);
  const scope =
    namespaces === undefined ? fixedScope(config.scope) : selectedScope(config.scope, namespaces);
  const context = await openContext(options, metrics, scope, stop.signal);
  opening.defer(() => context.pool.drain());
  await removeOutOfScope(context);
  const withCsi = scope.units.some((unit) => !isDataUnit(unit));
  const csi = withCsi ? opening.use(await startCsi(context, intake.signal)) : undefined;
  opened.resolve({ context, csi });

  const reflected = scope.units
    .filter(isDataUnit)
    .map((unit) => reflect(context, unit, intake.signal));
  for (const { reflector } of reflected) opening.use(reflector);
  opening.use(startUpkeep(context, (key, reason) => relist(context, reflected, key, reason)));
  const followed: Followed[] = [...reflected];
  if (namespaces !== undefined) {
    followed.push({ name: "namespaces", resource: "namespaces", reflector: namespaces });
  }
  if (csi !== undefined) {
    const resource = "secretproviderclasspodstatuses";
    followed.push({ name: "SecretProviderClass", resource, reflector: csi.reflector });
  }
  watcherGauges(options.metrics, followed, context);
  logger.debug({ units: scope.units.length }, "watcher started");

  const owned = opening.move();
  return {
    ...watcherHealth(followed, context),
    async [Symbol.asyncDispose]() {
      intake.abort();
      const timer = setTimeout(() => stop.abort(), FINISH_MS);
      await owned.disposeAsync();
      clearTimeout(timer);
    },
  };
}
