import { createKvStore } from "./kv-store.ts";
import type { KvStore } from "./kv-store.ts";
import type { Kv } from "./kv.ts";

/** The records of a bucket in memory, stale only by the network delay. */
export type KvCache<Held> = Pick<KvStore<Held>, "get" | "list" | "size" | "listen"> & {
  /**
   * Whether every write is in the cache but for the network delay: false from the moment that the
   * subscription is lost until the bucket is listed anew.
   */
  isSynced(): boolean;
  /** Resolves when that is so, or the watch was ended. */
  synced(): Promise<void>;
  /** Keys of records that are there, and that this version cannot read: `get` has none of them. */
  readonly unreadable: ReadonlyMap<string, unknown>;
};

export type CachedKv<T, Held> = {
  readonly cache: KvCache<Held>;
  /** The bucket; what is read or written by it is in the cache at once. */
  readonly kv: Kv<T>;
};

export type KvCacheOptions<T, Held> = {
  readonly kv: Kv<T>;
  /** A subject filter of keys (`prod.>`). */
  readonly filter: string;
  /** What is held of a record: the less, the less memory. */
  readonly transform: (record: T) => Held;
  /** Ends the opening and, unless `until` does, the watch. */
  readonly signal: AbortSignal;
  /** Ends the watch, e.g. when what reads the cache has ended too. */
  readonly until?: AbortSignal;
  /** The bucket is listed anew after about so many milliseconds; default 10 minutes. */
  readonly relistMs?: number;
};

function writeThrough<T>(
  kv: Kv<T>,
  set: (key: string, value: T | undefined, revision: number) => void,
): Kv<T> {
  const setIf = (key: string, value: T, revision: number | undefined) => {
    if (revision !== undefined) set(key, value, revision);
    return revision;
  };
  return {
    ...kv,
    async get(key) {
      const entry = await kv.get(key);
      if (entry !== undefined) set(key, entry.value, entry.revision);
      return entry;
    },
    create: async (key, value) => setIf(key, value, await kv.create(key, value)),
    update: async (key, value, revision) =>
      setIf(key, value, await kv.update(key, value, revision)),
    async remove(key, revision) {
      const isRemoved = await kv.remove(key, revision);
      // The marker's own revision is that much or more.
      if (isRemoved) set(key, undefined, revision + 1);
      return isRemoved;
    },
  };
}

/**
 * Follows the records of `filter` on one subscription until `until` fires. Resolves when every
 * present record is cached; throws the reason of `signal` if it fires before.
 *
 * Wherever a write may be missing (a reconnect, a recreated or restored bucket, every 10 minutes)
 * the bucket is listed anew, and its listeners hear what is gone.
 */
export async function openTransformedKvCache<T, Held>({
  kv,
  filter,
  transform,
  signal,
  until = signal,
  relistMs,
}: KvCacheOptions<T, Held>): Promise<CachedKv<T, Held>> {
  signal.throwIfAborted();
  const store = createKvStore<Held>();
  /** By key: the revision. */
  const unreadable = new Map<string, number>();
  const set = (key: string, value: T | undefined, revision: number) => {
    if (revision >= (unreadable.get(key) ?? 0)) unreadable.delete(key);
    store.set(key, value === undefined ? undefined : transform(value), revision);
  };
  let listing = Promise.withResolvers<void>();
  let isListed = false;
  const end = () => {
    isListed = true;
    listing.resolve();
  };
  until.addEventListener("abort", end, { once: true });
  kv.listAndWatch({
    filter,
    signal: until,
    relistMs,
    onStart() {
      if (isListed) listing = Promise.withResolvers();
      isListed = false;
      unreadable.clear();
      store.startList();
    },
    onEntry: set,
    onUnreadable(key, revision) {
      set(key, undefined, revision);
      // Own writes are in the cache before their subscription shows what was there before them.
      if (revision >= (store.get(key)?.revision ?? 0)) unreadable.set(key, revision);
    },
    onSynced() {
      store.endList();
      end();
    },
  });
  const aborted = Promise.withResolvers<void>();
  const onAbort = () => aborted.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await Promise.race([listing.promise, aborted.promise]);
  signal.removeEventListener("abort", onAbort);
  signal.throwIfAborted();
  const cache = { ...store, isSynced: () => isListed, synced: () => listing.promise, unreadable };
  return { cache, kv: writeThrough(kv, set) };
}

/** The same, holding the records whole. */
export function openKvCache<T>(
  options: Omit<KvCacheOptions<T, T>, "transform">,
): Promise<CachedKv<T, T>> {
  return openTransformedKvCache({ ...options, transform: (record) => record });
}
