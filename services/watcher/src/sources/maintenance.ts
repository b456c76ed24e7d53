import type { WatcherContext } from "../context.ts";

const TICK_MS = 1_000;
/** Longer than a healthy replica takes from pending to published. */
const PENDING_MS = 3_000;
/** Longer than replicas are apart in what they have seen. */
const DISAGREEING_MS = 10_000;
const RELIST_INTERVAL_MS = 60_000;
export const TOMBSTONE_MS = 30 * 24 * 3_600_000;
const TOMBSTONE_TICK_MS = 3_600_000;

/**
 * Does what no event prompts, until disposal: publishes what stays pending (at start, after a reconnect, of a replica that died), lists anew where a record stays different from
 * what the cluster shows, removes tombstones after 30 days. `relist` lists the unit anew that holds a key.
 */
export function startUpkeep(
  context: WatcherContext,
  relist: (key: string, reason: string) => void,
): Disposable {
  const { nats, known, pool, outbox, logger } = context;
  const pendingSince = new Map<string, number>();
  let relistedAt = Number.NEGATIVE_INFINITY;
  let running = true;

  const settle = (key: string) => {
    if (pool.busy(key)) return;
    void pool.run(key, () => outbox.settle(key));
  };
  const settleAll = () => {
    for (const key of known.pending) settle(key);
  };
  const settleOld = (now: number) => {
    for (const key of pendingSince.keys()) if (!known.pending.has(key)) pendingSince.delete(key);
    for (const key of known.pending) {
      const since = pendingSince.get(key);
      if (since === undefined) pendingSince.set(key, now);
      else if (now - since > PENDING_MS) settle(key);
    }
  };
  const checkDisagreement = (now: number) => {
    if (now - relistedAt < RELIST_INTERVAL_MS) return;
    for (const [key, since] of known.disagreeing) {
      if (now - since < DISAGREEING_MS || pool.busy(key)) continue;
      relistedAt = now;
      relist(key, "a record stayed different from what the cluster shows");
      return;
    }
  };
  const removeTombstones = () => {
    const before = Date.now() - TOMBSTONE_MS;
    for (const [key, { deletedAt }] of known.entries()) {
      if (deletedAt === undefined || deletedAt > before || pool.busy(key)) continue;
      void pool.run(key, () =>
        outbox.remove(key, (record) => (record.deletedAt ?? Number.POSITIVE_INFINITY) <= before),
      );
    }
  };
  const tick = () => {
    if (nats.fault() !== undefined) return;
    const now = performance.now();
    settleOld(now);
    checkDisagreement(now);
  };

  settleAll();
  removeTombstones();
  nats.onReconnect(() => {
    if (!running) return;
    logger.debug({ pending: known.pending.size }, "publishing what is pending");
    settleAll();
  });
  const timers = [setInterval(tick, TICK_MS), setInterval(removeTombstones, TOMBSTONE_TICK_MS)];
  return {
    [Symbol.dispose]() {
      running = false;
      for (const timer of timers) clearInterval(timer);
    },
  };
}
