import type { Metrics } from "@rollcast/runtime/metrics";
import type { Workqueue } from "./workqueue.ts";

/** So many are named; the log names each. */
const NAMED = 3;

/** A line behind the `ok` of `/readyz` while workloads cannot be reconciled; none keeps others. */
export function failingNotes({ failing }: Pick<Workqueue, "failing">): string[] {
  const keys = failing();
  if (keys.length === 0) return [];
  const named = keys.slice(0, NAMED).join(", ");
  const more = keys.length > NAMED ? ` and ${keys.length - NAMED} more` : "";
  return [`reconciling fails, and is tried again: ${named}${more}`];
}

/** Counts them. */
export function startFailingMetric(metrics: Metrics, workqueue: Workqueue): void {
  metrics.gauge(
    "rollcast_workloads_failing",
    "Workloads whose reconciliation fails again and again; /readyz and the log name them",
    [],
    (gauge) => gauge.set(workqueue.failing().length),
  );
}
