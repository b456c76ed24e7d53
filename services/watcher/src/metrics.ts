import type { ReflectorEvent } from "@rollcast/kube/reflector-options";
import { LATENCY_BUCKETS } from "@rollcast/runtime/metrics";
import type { Metrics } from "@rollcast/runtime/metrics";

/** The watcher's own metrics. */
export function watcherMetrics(metrics: Metrics) {
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
      "Writes of a record that lost against another replica's and were decided again.",
    ),
    refused: metrics.counter(
      "rollcast_source_refused_total",
      "Sources that cannot be recorded or published; each is logged with its reason.",
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

export type WatcherMetrics = ReturnType<typeof watcherMetrics>;
