import type { Metrics } from "@rollcast/runtime/metrics";
import { clock } from "../clock.ts";
import type { ProgressWatch } from "./progress-watch.ts";

/** Gauges of the workloads with unfinished rollouts. */
export function startProgressMetrics(metrics: Metrics, progress: ProgressWatch): void {
  metrics.gauge(
    "rollcast_workloads_in_progress",
    "Workloads whose rollout is due or unfinished",
    [],
    (g) => g.set(progress.count()),
  );
  metrics.gauge(
    "rollcast_stale_workloads",
    "Workloads whose pods do not run the present content of their sources",
    [],
    (g) => g.set(progress.stale().count),
  );
  metrics.gauge(
    "rollcast_stale_workloads_oldest_seconds",
    "How long the longest of them has been so",
    [],
    (g) => {
      const { since } = progress.stale();
      g.set(since === undefined ? 0 : (clock() - since) / 1_000);
    },
  );
}
