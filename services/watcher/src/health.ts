import type { HealthSource } from "@rollcast/runtime/health/service-health";
import type { Metrics } from "@rollcast/runtime/metrics";
import type { WatcherContext } from "./context.ts";
import type { NamedReflector } from "./sources/reflect-unit.ts";

/** How the watches of sources are. They are not ready before their first sync. */
export function watcherHealth(
  reflectors: readonly NamedReflector[],
  { pool }: Pick<WatcherContext, "pool">,
) {
  return {
    ready() {
      for (const { name, reflector } of reflectors) {
        const fault = reflector.fault();
        if (fault !== undefined) return `${name}: ${fault}`;
      }
      return undefined;
    },
    progress() {
      // Bookmarks arrive every minute, so a quiet cluster does not count as stalled. If the API
      // server is at fault, a restart does not help.
      const watches = reflectors
        .filter(({ reflector }) => reflector.fault() === undefined)
        .map(({ name, reflector }) => ({
          what: `${name}: nothing consumed`,
          ms: reflector.staleness(),
        }));
      return [...watches, { what: "a source is in flight", ms: pool.oldestMs() }];
    },
  } satisfies HealthSource;
}

/** Registers gauges that are computed on each scrape. */
export function watcherGauges(
  metrics: Metrics,
  reflectors: readonly NamedReflector[],
  { cache, pool }: Pick<WatcherContext, "cache" | "pool">,
): void {
  metrics.gauge(
    "rollcast_watch_staleness_seconds",
    "Time since the last proof that changes of a resource are consumed; the largest over namespaces.",
    ["resource"],
    (gauge) => {
      const largest = new Map<string, number>();
      for (const { resource, reflector } of reflectors) {
        largest.set(resource, Math.max(largest.get(resource) ?? 0, reflector.staleness()));
      }
      for (const [resource, ms] of largest) gauge.set({ resource }, ms / 1_000);
    },
  );
  metrics.gauge("rollcast_sources", "Sources with a record, tombstones included.", [], (gauge) =>
    gauge.set(cache.size()),
  );
  metrics.gauge(
    "rollcast_outbox_pending",
    "Records whose event is not published yet.",
    [],
    (gauge) => gauge.set(cache.pending.size),
  );
  metrics.gauge("rollcast_sources_in_flight", "Sources being recorded now.", [], (gauge) =>
    gauge.set(pool.size()),
  );
}
