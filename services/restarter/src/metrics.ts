import { LATENCY_BUCKETS } from "@rollcast/runtime/metrics";
import type { Counter, Gauge, Histogram, Metrics } from "@rollcast/runtime/metrics";
import { RolloutOutcome } from "@rollcast/shared/events";
import { CHECK_NAMES } from "./model/verdict.ts";

/**
 * - `Conflict`: somebody else was faster; it was decided again.
 * - `Refused`: by the API server or a policy.
 * - `Unavailable`: no answer, or one that asks to come again.
 */
const PATCH_ERROR_REASONS = ["Conflict", "Refused", "Unavailable"] as const;

const ANNOTATED = ["workload", "source"] as const;

export type PatchErrorReason = (typeof PATCH_ERROR_REASONS)[number];

export type RestarterMetrics = {
  readonly patchSeconds: Histogram;
  readonly patchErrors: Counter<"reason">;
  readonly recordConflicts: Counter;
  readonly resyncSeconds: Histogram;
  readonly annotationFaults: Gauge<"object">;
  readonly verdicts: Counter<"check">;
  readonly outcomes: Counter<"outcome">;
  readonly rolloutSeconds: Histogram<"outcome">;
  readonly changeToHealthySeconds: Histogram;
};

/**
 * The restarter's metrics. Every outcome and reason starts at 0, so that rates are correct from
 * the first event.
 */
export function createRestarterMetrics(metrics: Metrics): RestarterMetrics {
  const outcomes = metrics.counter("rollcast_rollouts_total", "Rollout events by outcome", [
    "outcome",
  ]);
  for (const outcome of RolloutOutcome.options) outcomes.inc({ outcome }, 0);
  const verdicts = metrics.counter(
    "rollcast_verdicts_total",
    "Workloads evaluated for a source event, by the check that decided",
    ["check"],
  );
  for (const check of CHECK_NAMES) verdicts.inc({ check }, 0);
  const duration = metrics.histogram(
    "rollcast_rollout_duration_seconds",
    "From the patch to the end of the rollout",
    ["outcome"],
    LATENCY_BUCKETS,
  );
  const healthy = metrics.histogram(
    "rollcast_change_to_healthy_seconds",
    "From the change of the source to the workload's rollout being complete",
    [],
    LATENCY_BUCKETS,
  );
  const patchErrors = metrics.counter(
    "rollcast_patch_errors_total",
    "Writes of a rollout that failed (patches, Jobs made or deleted), by reason: Refused (by the API server or a policy), Unavailable (no answer, or one that asks to come again), Conflict (a lost race)",
    ["reason"],
  );
  for (const reason of PATCH_ERROR_REASONS) patchErrors.inc({ reason }, 0);
  const annotationFaults = metrics.gauge(
    "rollcast_annotation_faults",
    "Workloads and sources with an annotation that cannot be read; the log names each",
    ["object"],
  );
  for (const object of ANNOTATED) annotationFaults.set({ object }, 0);
  return {
    patchSeconds: metrics.histogram(
      "rollcast_patch_duration_seconds",
      "Patches of workloads at the API server",
      [],
      LATENCY_BUCKETS,
    ),
    patchErrors,
    recordConflicts: metrics.counter(
      "rollcast_record_conflicts_total",
      "Writes of a record that lost a race; it was decided again",
      [],
    ),
    verdicts,
    annotationFaults,
    resyncSeconds: metrics.histogram(
      "rollcast_resync_duration_seconds",
      "Comparisons of every workload with its sources",
      [],
      LATENCY_BUCKETS,
    ),
    outcomes,
    rolloutSeconds: duration,
    changeToHealthySeconds: healthy,
  };
}
