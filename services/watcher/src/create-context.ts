import type { KubeClient } from "@rollcast/kube/client";
import type { ReflectorTimes } from "@rollcast/kube/reflector-options";
import type { Config } from "@rollcast/shared/config/schema";
import { isAborted } from "@rollcast/shared/errors";
import { ensureInstallation, openInstallation } from "@rollcast/nats/installation";
import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import type { WatcherContext } from "./context.ts";
import { openCoverage } from "./store/coverage.ts";
import type { InstallationKey } from "./model/transform.ts";
import { createKeyedPool } from "@rollcast/async/keyed-pool";
import type { WatcherMetrics } from "./metrics.ts";
import { createOutbox } from "./store/outbox.ts";
import { createRecorder } from "./store/recorder.ts";
import { relevantAnnotations } from "./model/transform.ts";
import type { WatchScope } from "./model/scope.ts";
import type { Failpoint } from "./failpoints.ts";
import { openSourceStore } from "./store/source-store.ts";

/** How many sources are recorded concurrently; the rest waits in the API server's connections. */
const MAX_IN_FLIGHT = 256;
type ContextOptions = {
  config: Config;
  logger: Logger;
  nats: Nats;
  client: KubeClient;
  key: InstallationKey;
  metrics: WatcherMetrics;
  times: Partial<ReflectorTimes>;
  failpoint: (failpoint: Failpoint) => void;
};

/**
 * Opens the source cache, the outbox and the recorder. `signal` aborts work in flight. Throws on
 * network faults.
 */
export async function createContext(
  options: ContextOptions,
  scope: WatchScope,
  signal: AbortSignal,
): Promise<WatcherContext> {
  const { config, logger, nats, client, key, metrics, times } = options;
  const { cluster } = config;
  await ensureInstallation(await openInstallation(nats), cluster, Date.now());
  const coverage = await openCoverage(nats, cluster, scope.units.flatMap(scope.covered));
  const { kv, cache } = await openSourceStore({ nats, cluster, logger, signal });
  const pool = createKeyedPool<string>(MAX_IN_FLIGHT, (err) => {
    if (signal.aborted && isAborted(err)) return;
    metrics.refused.inc();
    logger.error({ err }, "source refused");
  });
  const outbox = createOutbox({ ...options, cluster, kv, cache, signal });
  const recorder = createRecorder({ cluster, keyId: key.id, cache, pool, outbox, coverage });
  return {
    config,
    logger,
    nats,
    client,
    key,
    annotations: relevantAnnotations(config.reload.annotations),
    times,
    metrics,
    scope,
    coverage,
    cache,
    pool,
    outbox,
    recorder,
    signal,
  };
}

/**
 * Removes the records of sources that left the scope. If they come back, they start with a first
 * sync.
 */
export async function removeOutOfScope({ cache, scope, recorder, pool, logger }: WatcherContext) {
  const outOfScope = [...cache.list()]
    .map(({ key }) => key)
    .filter((key) => !scope.includesKey(key));
  if (outOfScope.length === 0) return;
  logger.info({ records: outOfScope.length }, "removing records out of scope");
  for (const key of outOfScope) await recorder.forget(key);
  await pool.drain();
}
