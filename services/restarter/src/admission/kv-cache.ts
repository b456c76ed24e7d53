import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";

/** A bucket's records in memory, at most as old as the network is slow. */
export type KvCache<T> = {
  get(key: string): { readonly value: T; readonly revision: number } | undefined;
  all(): Iterable<T>;
  /** Takes a record as it was just written or read. */
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

/** Follows the records of `filter`; resolves when every one that was there at the call is known. */
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
    // What is not there any more was removed while nobody watched, unless it was written since.
    for (const key of before) {
      const found = await kv.get(key);
      const known = held.get(key);
      if (found !== undefined) put(key, found.value, found.revision);
      else if (known?.value !== undefined) put(key, undefined, known.revision + 1);
    }
  };
  const readAll = async () => {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await read();
        return;
      } catch (err) {
        logger.warn({ err, attempt }, "control records not read, trying again");
        await sleep(backoffDelay(RETRY, attempt), undefined, { signal }).catch(() => undefined);
      }
    }
  };
  const opened = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => opened.resolve(), { once: true });
  kv.watch({ filter, signal, onEntry: put, onGap: () => void readAll(), onOpen: opened.resolve });
  await opened.promise;
  await readAll();
  return {
    get(key) {
      const found = held.get(key);
      return found?.value === undefined
        ? undefined
        : { value: found.value, revision: found.revision };
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
