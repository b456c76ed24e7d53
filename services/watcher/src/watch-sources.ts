import type { KubeClient } from "@rollcast/kube/client";
import { watchNamespaces } from "@rollcast/kube/namespaces";
import type { Namespaces } from "@rollcast/kube/namespaces";
import type { ReflectorTimes } from "@rollcast/kube/reflector-options";
import type { Nats } from "@rollcast/nats/connect";
import type { Logger } from "@rollcast/runtime/logger";
import type { Metrics } from "@rollcast/runtime/metrics";
import type { Config } from "@rollcast/shared/config/schema";
import { createContext } from "./create-context.ts";
import type { Context } from "./context.ts";
import { type Csi, startCsi } from "./csi/csi.ts";
import { watcherHealth } from "./health.ts";
import { countReflectorEvent, createWatcherMetrics, watcherGauges } from "./metrics.ts";
import type { WatcherMetrics } from "./metrics.ts";
import { fixedScope, isDataUnit, selectedScope } from "./model/scope.ts";
import type { InstallationKey } from "./model/transform.ts";
import { startMaintenance } from "./sources/maintenance.ts";
import { enterNamespace, leaveNamespace, removeOutOfScope } from "./sources/namespace-scope.ts";
import { reflectUnit, relist } from "./sources/reflect-unit.ts";
import type { NamedReflector } from "./model/named-reflector.ts";
import type { Failpoint } from "./failpoints.ts";

type WatchSourcesOptions = {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  nats: Nats;
  client: KubeClient;
  key: InstallationKey;
  failpoint: (failpoint: Failpoint) => void;
  /** Aborts a start that is still waiting. */
  signal: AbortSignal;
  /** Overrides the reflector's times in tests. */
  times?: Partial<ReflectorTimes>;
};

export type SourceWatch = AsyncDisposable & {
  readonly health: ReturnType<typeof watcherHealth>;
};

/**
 * How long work in flight may take at shutdown. After that it is aborted and found pending at the
 * next start.
 */
const DRAIN_TIMEOUT_MS = 5_000;

/**
 * Follows the namespaces that the scope selects, if it has a selector. Their changes wait until the
 * rest is open.
 */
function openNamespaces(
  { config, client, logger, times = {} }: WatchSourcesOptions,
  metrics: WatcherMetrics,
  opened: Promise<Opened>,
): Namespaces | undefined {
  const { namespaceSelector, ignoreNamespaces } = config.scope;
  if (namespaceSelector === "") return undefined;
  return watchNamespaces({
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
    observe: (event) => countReflectorEvent(metrics, "namespaces", event),
  });
}

type Opened = { readonly context: Context; readonly csi: Csi | undefined };

async function synced(namespaces: Namespaces, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  await Promise.race([namespaces.synced, aborted.promise]);
  signal.removeEventListener("abort", onAbort);
}

/** All reflectors by name. */
function allReflectors(
  unitReflectors: readonly NamedReflector[],
  namespaces: Namespaces | undefined,
  csi: Csi | undefined,
): NamedReflector[] {
  const reflectors = [...unitReflectors];
  if (namespaces !== undefined) {
    reflectors.push({ name: "namespaces", resource: "namespaces", reflector: namespaces });
  }
  if (csi !== undefined) {
    const resource = "secretproviderclasspodstatuses";
    const { reflector } = csi;
    reflectors.push({ name: "SecretProviderClass", resource, reflector, optional: true });
  }
  return reflectors;
}

/**
 * Watches the sources in scope, records them in the bucket `sources` and publishes their changes
 * until disposal. Disposal stops the intake, drains work in flight, and aborts what does not finish
 * in time.
 */
export async function watchSources(options: WatchSourcesOptions): Promise<SourceWatch> {
  const { scope: configured } = options.config;
  await using opening = new AsyncDisposableStack();
  const stop = new AbortController();
  const intake = new AbortController();
  opening.defer(() => stop.abort());
  const metrics = createWatcherMetrics(options.metrics);
  const opened = Promise.withResolvers<Opened>();
  opened.promise.catch(() => undefined);
  opening.defer(() => opened.reject(new Error("the watcher was not opened")));

  const namespaces = openNamespaces(options, metrics, opened.promise);
  if (namespaces !== undefined) await synced(opening.use(namespaces), options.signal);
  const scope =
    namespaces === undefined ? fixedScope(configured) : selectedScope(configured, namespaces);
  const context = await createContext({
    times: {},
    ...options,
    metrics,
    scope,
    signal: stop.signal,
  });
  opening.defer(() => context.pool.drain());
  await removeOutOfScope(context);
  const withCsi = scope.units.some((unit) => !isDataUnit(unit));
  const csi = withCsi ? opening.use(await startCsi(context, intake.signal)) : undefined;
  opened.resolve({ context, csi });
  const data = scope.units.filter(isDataUnit);
  const unitReflectors = data.map((unit) => reflectUnit(context, unit, intake.signal));
  for (const { reflector } of unitReflectors) opening.use(reflector);
  opening.use(
    startMaintenance(context, (keys, message) => relist(context, unitReflectors, keys, message)),
  );
  const reflectors = allReflectors(unitReflectors, namespaces, csi);
  watcherGauges(options.metrics, reflectors, context);
  options.logger.debug({ units: scope.units.length }, "watcher started");
  const owned = opening.move();
  return {
    health: watcherHealth(reflectors, context),
    async [Symbol.asyncDispose]() {
      intake.abort();
      const timer = setTimeout(() => stop.abort(), DRAIN_TIMEOUT_MS);
      await owned.disposeAsync();
      clearTimeout(timer);
    },
  };
}
