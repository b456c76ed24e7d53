import { createKeyedPool } from "@rollcast/async/keyed-pool";
import type { KeyedPool } from "@rollcast/async/keyed-pool";
import type { KubeClient } from "@rollcast/kube/client";
import type { ReflectorTimes } from "@rollcast/kube/reflector-options";
import type { Nats } from "@rollcast/nats/connect";
import { ensureInstallation, openInstallation } from "@rollcast/nats/installation";
import type { Logger } from "@rollcast/runtime/logger";
import type { Config } from "@rollcast/shared/config/schema";
import { isAborted } from "@rollcast/shared/errors";
import type { WatcherMetrics } from "./metrics.ts";
import type { WatchScope } from "./model/scope.ts";
import { relevantAnnotations } from "./model/transform.ts";
import type { InstallationKey } from "./model/transform.ts";
import { createOutbox } from "./store/outbox.ts";
import type { Failpoint, Outbox } from "./store/outbox.ts";
import { createRecorder } from "./store/recorder.ts";
import type { Recorder } from "./store/recorder.ts";
import { openSourceStore } from "./store/source-store.ts";
import type { CoverageStore, SourceCache } from "./store/source-store.ts";

/** How many sources are recorded concurrently; the rest waits in the API server's connections. */
const MAX_IN_FLIGHT = 256;

/** What the parts of a running watcher share. */
export type WatcherContext = {
  readonly config: Config;
  readonly logger: Logger;
  readonly nats: Nats;
  readonly client: KubeClient;
  readonly key: InstallationKey;
  /** Names of the source annotations that are kept in records. */
  readonly annotations: readonly string[];
  readonly times: Partial<ReflectorTimes>;
  readonly metrics: WatcherMetrics;
  readonly scope: WatchScope;
  readonly coverage: CoverageStore;
  readonly cache: SourceCache;
  readonly pool: KeyedPool<string>;
  readonly outbox: Outbox;
  readonly recorder: Recorder;
  /** Fires when work in flight must be aborted. */
  readonly signal: AbortSignal;
};

type Opened = "annotations" | "coverage" | "cache" | "pool" | "outbox" | "recorder";
type ContextOptions = Omit<WatcherContext, Opened> & {
  readonly failpoint: (failpoint: Failpoint) => void;
};

/** Opens the source store, the outbox and the recorder. Throws on network faults. */
export async function createContext(options: ContextOptions): Promise<WatcherContext> {
  const { failpoint, ...given } = options;
  const { config, logger, nats, key, metrics, scope, signal } = given;
  const { cluster } = config;
  await ensureInstallation(await openInstallation(nats), cluster, Date.now());
  const units = scope.units.flatMap(scope.covered);
  const { kv, cache, coverage } = await openSourceStore({ nats, cluster, units, logger, signal });
  const pool = createKeyedPool<string>(MAX_IN_FLIGHT, (err) => {
    if (signal.aborted && isAborted(err)) return;
    metrics.refused.inc();
    logger.error({ err }, "source refused");
  });
  const outbox = createOutbox({ ...given, cluster, kv, cache, failpoint });
  const recorder = createRecorder({ cluster, keyId: key.id, cache, pool, outbox, coverage });
  const annotations = relevantAnnotations(config.reload.annotations);
  return { ...given, annotations, coverage, cache, pool, outbox, recorder };
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
