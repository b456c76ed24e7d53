import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { openKvCache } from "@rollcast/nats/kv-cache";
import { sourceKeys } from "@rollcast/nats/installation";
import { SourceRecord } from "@rollcast/shared/records";
import { cachedSource, createSourceCache } from "./source-cache.ts";
import type { SourceCache } from "./source-cache.ts";

/** The records of one cluster and their cache. */
export type SourceStore = { readonly kv: Kv<SourceRecord>; readonly cache: SourceCache };

/**
 * Opens the records and keeps the cache up to date as other replicas write. The cache is complete
 * when this returns.
 */
export async function openSourceStore(options: {
  nats: Nats;
  cluster: string;
  logger: Logger;
  signal: AbortSignal;
}): Promise<SourceStore> {
  const { nats, cluster, logger, signal } = options;
  const { cache, kv } = await openKvCache({
    kv: await openKv(nats, "sources", SourceRecord),
    filter: sourceKeys(cluster),
    transform: cachedSource,
    signal,
  });
  logger.info({ sources: cache.size() }, "records loaded");
  return { kv, cache: createSourceCache(cache) };
}
