import type { Context } from "./context.ts";
import { createKeyedPool } from "@rollcast/async/keyed-pool";
import {
  ensureInstallation,
  openInstallation,
  restoreInstallation,
} from "@rollcast/nats/installation";
import { isAborted } from "@rollcast/shared/errors";
import { relevantAnnotations } from "./model/transform.ts";
import { createOutbox, retryKv } from "./store/outbox.ts";
import type { Failpoint } from "./failpoints.ts";
import { createRecorder } from "./store/recorder.ts";
import { openSourceStore } from "./store/source-store.ts";

/** How many sources are recorded concurrently; the rest waits in the API server's connections. */
const MAX_IN_FLIGHT = 256;

type Opened = "annotations" | "coverage" | "cache" | "pool" | "refused" | "outbox" | "recorder";
type ContextOptions = Omit<Context, Opened> & {
  readonly failpoint: (failpoint: Failpoint) => void;
};

/** Opens the source store, the outbox and the recorder. Throws on network faults. */
export async function createContext(options: ContextOptions): Promise<Context> {
  const { failpoint, ...given } = options;
  const { config, logger, nats, key, scope, signal } = given;
  const { cluster } = config;
  // Before any digest is made with the key: who reads one can know whose it is.
  const installations = await openInstallation(nats);
  const installation = await ensureInstallation(installations, cluster, {
    now: Date.now(),
    keyId: key.id,
    adoptedKeyIds: config.installationKey?.earlierIds,
  });
  // A server that comes back without its data lacks it, and restarters that start wait for it.
  nats.onReconnect(() => {
    const restore = () => restoreInstallation(installations, cluster, installation);
    retryKv(restore, { logger, signal }).catch((err: unknown) => {
      if (!signal.aborted) logger.error({ err }, "installation record not restored");
    });
  });
  const units = scope.units.flatMap(scope.covered);
  const { kv, cache, coverage } = await openSourceStore({ nats, cluster, units, logger, signal });
  const refused = new Set<string>();
  const pool = createKeyedPool<string>(MAX_IN_FLIGHT, (err, source) => {
    if (signal.aborted && isAborted(err)) return;
    refused.add(source);
    logger.error({ err, source }, "source refused");
  });
  const outbox = createOutbox({ ...given, cluster, kv, cache, failpoint });
  const recorder = createRecorder({
    cluster,
    keyId: key.id,
    cache,
    pool,
    refused,
    outbox,
    coverage,
  });
  const annotations = relevantAnnotations(config.reload.annotations);
  return { ...given, annotations, coverage, cache, pool, refused, outbox, recorder };
}
