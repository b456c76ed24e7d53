import { retry } from "@rollcast/async/retry";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";

/** A bucket's records in memory, stale only by the network delay. */
export type KvCache<T> = {
  get(key: string): { readonly value: T; readonly revision: number } | undefined;
  all(): Iterable<T>;
  /** Sets a record as it was just written or read. */
  put(key: string, value: T | undefined, revision: number): void;
  listen(listener: (key: string) => void): void;
};

export type KvCacheOptions<T> = {
  kv: Kv<T>;
  filter: string;
  signal: AbortSignal;
  logger: Logger;
};

type Held<T> = { readonly value: T | undefined; readonly revision: number };

const RETRY = { initial: 200, max: 5_000 };

/**
 * Follows the records of `filter`; resolves when every record that existed at the call is cached.
 */
export async function openKvCache<T>(options: KvCacheOptions<T>): Promise<KvCache<T>> {
  const { kv, filter, signal, logger } = options;
  const held = new Map<string, Held<T>>();
  const listeners: ((key: string) => void)[] = [];
  const put = (key: string, value: T | undefined, revision: number) => {
    if ((held.get(key)?.revision ?? 0) >= revision) return;
    held.set(key, { value, revision });
    for (const listener of listeners) listener(key);
  };
  const read = async () => {
    const before = new Set(held.keys());
    for await (const { key, value, revision } of kv.snapshot(filter)) {
      before.delete(key);
      put(key, value, revision);
    }
    // A record that no longer exists was removed while unwatched, unless it was written since.
    for (const key of before) {
      const entry = await kv.get(key);
      const cached = held.get(key);
      if (entry !== undefined) put(key, entry.value, entry.revision);
      else if (cached?.value !== undefined) put(key, undefined, cached.revision + 1);
    }
  };
  /** Ends early where the process stops. */
  const readAll = () =>
    retry(read, {
      backoff: RETRY,
      signal,
      onFailure: (err, attempt) => logger.warn({ err, attempt }, "cache read failed, retrying"),
    }).catch(() => undefined);
  const opened = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => opened.resolve(), { once: true });
  kv.watch({ filter, signal, onEntry: put, onGap: () => void readAll(), onOpen: opened.resolve });
  await opened.promise;
  await readAll();
  return {
    get(key) {
      const entry = held.get(key);
      return entry?.value === undefined
        ? undefined
        : { value: entry.value, revision: entry.revision };
    },
    *all() {
      for (const { value } of held.values()) if (value !== undefined) yield value;
    },
    put,
    listen(listener) {
      listeners.push(listener);
    },
  };
}
