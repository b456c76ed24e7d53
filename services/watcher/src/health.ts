import type { Reflector } from "@rollcast/kube/reflector";
import type { Metrics } from "@rollcast/shared/metrics";
import type { WatcherContext } from "./context.ts";

/** Something that follows the API server, by the plural of its resource; `name` tells it from others in health checks. */
export type Followed = {
  readonly name: string;
  readonly resource: string;
  readonly reflector: Pick<Reflector, "fault" | "staleness">;
};

export type WatcherHealth = {
  /** Why the watcher cannot do its work now, or undefined. It is not ready before the first sync. */
  ready(): string | undefined;
  /** Why a restart is due, or undefined: changes are not consumed, and nothing outside explains it. */
  live(): string | undefined;
};

/** Bookmarks come every minute: a watch without one for so long, and without a known fault, consumes nothing. */
const STALE_MS = 5 * 60_000;

export function watcherHealth(
  followed: readonly Followed[],
  { nats }: Pick<WatcherContext, "nats">,
): WatcherHealth {
  return {
    ready() {
      for (const { name, reflector } of followed) {
        const fault = reflector.fault();
        if (fault !== undefined) return `${name}: ${fault}`;
      }
      return undefined;
    },
    live() {
      if (nats.fault() !== undefined) return undefined;
      for (const { name, reflector } of followed) {
        const stale = reflector.staleness();
        if (stale < STALE_MS || reflector.fault() !== undefined) continue;
        return `${name}: nothing consumed for ${Math.round(stale / 1_000)} s`;
      }
      return undefined;
    },
  };
}

/** Gauges that are read when they are asked for. */
export function watcherGauges(
  metrics: Metrics,
  followed: readonly Followed[],
  { known, pool }: Pick<WatcherContext, "known" | "pool">,
): void {
  metrics.gauge(
    "rollcast_watch_staleness_seconds",
    "Time since the last proof that changes of a resource are consumed; the largest over namespaces.",
    ["resource"],
    (gauge) => {
      const largest = new Map<string, number>();
      for (const { resource, reflector } of followed) {
        largest.set(resource, Math.max(largest.get(resource) ?? 0, reflector.staleness()));
      }
      for (const [resource, ms] of largest) gauge.set({ resource }, ms / 1_000);
    },
  );
  metrics.gauge("rollcast_sources", "Sources with a record, tombstones included.", [], (gauge) =>
    gauge.set(known.size()),
  );
  metrics.gauge(
    "rollcast_outbox_pending",
    "Records whose event is not published yet.",
    [],
    (gauge) => gauge.set(known.pending.size),
  );
  metrics.gauge("rollcast_sources_in_hand", "Sources being recorded now.", [], (gauge) =>
    gauge.set(pool.size()),
  );
}
