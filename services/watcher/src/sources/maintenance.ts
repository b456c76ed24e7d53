import type { Context } from "../context.ts";

const TICK_MS = 1_000;
/** Longer than a healthy replica takes from pending to published. */
const PENDING_MS = 3_000;
/** Longer than replicas lag behind each other. */
const DRIFT_TIMEOUT_MS = 10_000;
const RELIST_INTERVAL_MS = 60_000;
export const TOMBSTONE_MS = 30 * 24 * 3_600_000;
const TOMBSTONE_TICK_MS = 3_600_000;

/**
 * Runs periodic work until disposal: publishes what stays pending (at start, after a reconnect, or
 * left by a replica that died), relists units where a record stays different from the cluster or is
 * gone, and removes tombstones after 30 days. `relist` lists the units of these keys again.
 */
export function startMaintenance(
  context: Context,
  relist: (keys: readonly string[], message: string) => void,
): Disposable {
  const { nats, cache, pool, outbox, scope, logger } = context;
  const pendingSince = new Map<string, number>();
  let relistedAt = Number.NEGATIVE_INFINITY;
  let running = true;

  const flush = (key: string) => {
    if (pool.busy(key)) return;
    void pool.run(key, () => outbox.flush(key));
  };
  const flushAll = () => {
    for (const key of cache.pending) flush(key);
  };
  const flushOld = (now: number) => {
    for (const key of pendingSince.keys()) if (!cache.pending.has(key)) pendingSince.delete(key);
    for (const key of cache.pending) {
      const since = pendingSince.get(key);
      if (since === undefined) pendingSince.set(key, now);
      else if (now - since > PENDING_MS) flush(key);
    }
  };
  const checkDrift = (now: number) => {
    if (now - relistedAt < RELIST_INTERVAL_MS) return;
    const drifted = [...cache.drifted]
      .filter(([key, since]) => now - since >= DRIFT_TIMEOUT_MS && !pool.busy(key))
      .map(([key]) => key);
    for (const key of drifted) cache.listing(key);
    // What left the scope, another replica has forgotten.
    const keys = drifted.filter((key) => scope.includesKey(key));
    if (keys.length === 0) return;
    relistedAt = now;
    relist(keys, "records stayed different from what the cluster shows, or are gone");
  };
  const removeTombstones = () => {
    const before = Date.now() - TOMBSTONE_MS;
    for (const { key, value } of cache.list()) {
      const { deletedAt } = value;
      if (deletedAt === undefined || deletedAt > before || pool.busy(key)) continue;
      void pool.run(key, () =>
        outbox.remove(key, (record) => (record.deletedAt ?? Number.POSITIVE_INFINITY) <= before),
      );
    }
  };
  const tick = () => {
    if (nats.fault() !== undefined) return;
    const now = performance.now();
    flushOld(now);
    checkDrift(now);
  };

  flushAll();
  removeTombstones();
  nats.onReconnect(() => {
    if (!running) return;
    logger.debug({ pending: cache.pending.size }, "publishing pending events");
    flushAll();
  });
  const timers = [setInterval(tick, TICK_MS), setInterval(removeTombstones, TOMBSTONE_TICK_MS)];
  return {
    [Symbol.dispose]() {
      running = false;
      for (const timer of timers) clearInterval(timer);
    },
  };
}
