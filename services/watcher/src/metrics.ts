import type { ReflectorEvent } from "@rollcast/kube/reflector-options";
import { LATENCY_BUCKETS } from "@rollcast/runtime/metrics";
import type { Metrics } from "@rollcast/runtime/metrics";
import { unavailable } from "./model/named-reflector.ts";
import type { NamedReflector } from "./model/named-reflector.ts";

/** The watcher's own metrics. */
export function createWatcherMetrics(metrics: Metrics) {
  const published = metrics.counter(
    "rollcast_events_published_total",
    "Events that the stream acknowledged; a duplicate was published by another replica or an earlier attempt.",
    ["type", "result"],
  );
  for (const type of ["changed", "created", "deleted"]) {
    for (const result of ["stored", "duplicate"]) published.inc({ type, result }, 0);
  }
  return {
    published,
    lag: metrics.histogram(
      "rollcast_event_lag_seconds",
      "From the arrival of a change at the watcher to the acknowledgement of its event.",
      ["type"],
      LATENCY_BUCKETS,
    ),
    failures: metrics.counter(
      "rollcast_watch_failures_total",
      "Times a list or watch was interrupted, by resource.",
      ["resource"],
    ),
    lists: metrics.counter(
      "rollcast_watch_lists_total",
      "Full lists that were begun, by resource.",
      ["resource"],
    ),
    conflicts: metrics.counter(
      "rollcast_record_conflicts_total",
      "Writes of a record that lost a race; it was decided again",
    ),
  };
}

/** Counts the events of a reflector. */
export function countReflectorEvent(
  metrics: WatcherMetrics,
  resource: string,
  event: ReflectorEvent,
): void {
  if (event === "failure") metrics.failures.inc({ resource });
  if (event === "list") metrics.lists.inc({ resource });
}

export type WatcherMetrics = ReturnType<typeof createWatcherMetrics>;

/** The sources with a record, and those that are being recorded. */
type Recorded = {
  readonly cache: { size(): number; readonly pending: { readonly size: number } };
  readonly pool: { size(): number; oldestMs(): number };
  readonly refused: { readonly size: number };
};

/** Registers gauges that are computed on each scrape. */
export function watcherGauges(
  metrics: Metrics,
  reflectors: readonly NamedReflector[],
  { cache, pool, refused }: Recorded,
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
  metrics.gauge(
    "rollcast_kind_unavailable",
    "1 while the API of an optional kind fails: its workloads are not rolled, its sources not seen",
    ["kind"],
    (gauge) => {
      for (const named of reflectors.filter(({ optional }) => optional === true)) {
        gauge.set({ kind: named.name }, unavailable(named) === undefined ? 0 : 1);
      }
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
  metrics.gauge(
    "rollcast_sources_in_flight_oldest_seconds",
    "For how long the oldest of them has waited to be recorded and its event to be published.",
    [],
    (gauge) => gauge.set(pool.oldestMs() / 1_000),
  );
  metrics.gauge(
    "rollcast_sources_refused",
    "Sources whose last change cannot be recorded or published; each is logged with its reason.",
    [],
    (gauge) => gauge.set(refused.size),
  );
}
