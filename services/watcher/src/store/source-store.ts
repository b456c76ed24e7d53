import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { sourceKeys } from "@rollcast/nats/installation";
import { SourceRecord } from "@rollcast/shared/records";
import { createSourceCache } from "./source-cache.ts";
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
  const kv = await openKv(nats, "sources", SourceRecord);
  const cache = createSourceCache();
  const filter = sourceKeys(cluster);
  const opened = Promise.withResolvers<void>();

  const load = async () => {
    const before = new Set(cache.keys());
    for await (const { key, value, revision } of kv.snapshot(filter)) {
      before.delete(key);
      cache.set(key, value, revision);
    }
    for (const key of before) {
      const entry = await kv.get(key);
      cache.set(key, entry?.value, entry?.revision ?? Number.MAX_SAFE_INTEGER);
    }
  };
  kv.watch({
    filter,
    signal,
    onEntry: (key, record, revision) => cache.set(key, record, revision),
    onOpen: () => opened.resolve(),
    onGap: () => {
      load().catch((err: unknown) => logger.warn({ err }, "cannot reload records after a gap"));
    },
  });
  const onAbort = () => opened.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  await opened.promise;
  signal.removeEventListener("abort", onAbort);
  await load();
  logger.info({ sources: cache.size() }, "records loaded");
  return { kv, cache };
}
