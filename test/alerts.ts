/**
 * Series in promtool's notation, one sample a minute:
 * https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
 */
export type Series = Readonly<Record<string, string>>;

/**
 * When an alert must fire and when not; both are looked at `at` a time of which it must have been
 * so for long enough.
 */
export type Example = {
  readonly alert: string;
  readonly at: string;
  readonly fires: Series;
  readonly labels: Readonly<Record<string, string>>;
  readonly quiet: Series;
};

const NS = 'namespace="rollcast"';
const namespace = "rollcast";

/** An alert on a counter of outcomes that rises. */
function outcome(alert: string, outcome: string): Example {
  const name = `rollcast_rollouts_total{${NS},outcome="${outcome}"}`;
  return {
    alert,
    at: "20m",
    fires: { [name]: "0x10 1x30" },
    labels: { namespace },
    quiet: { [name]: "3x40", [`rollcast_rollouts_total{${NS},outcome="succeeded"}`]: "0+1x40" },
  };
}

/** An alert on a gauge that is too large; `limit` is not. */
function above(
  alert: string,
  gauge: string,
  { limit, at, by = {} }: { limit: number; at: string; by?: Record<string, string> },
): Example {
  const labels = { namespace, ...by };
  const inside = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  const name = `${gauge}{${inside.join()}}`;
  return {
    alert,
    at,
    fires: { [name]: `${limit + 1}x90` },
    labels,
    quiet: { [name]: `${limit}x90` },
  };
}

const DEAD = `rollcast_notifications_dead_total{${NS},receiver="hook",reason="404"}`;
const REFUSED = `rollcast_source_refused_total{${NS}}`;
const patchErrors = (reason: string) =>
  `rollcast_patch_errors_total{${NS},reason="${reason}",pod="a"}`;

export const EXAMPLES: readonly Example[] = [
  {
    alert: "RollcastDown",
    at: "6m",
    fires: { 'up{job="rollcast-watcher"}': "0x10" },
    labels: { job: "rollcast-watcher" },
    quiet: { 'up{job="rollcast-watcher"}': "1x10", 'up{job="other"}': "0x10" },
  },
  above("RollcastWatchStale", "rollcast_watch_staleness_seconds", {
    limit: 300,
    at: "6m",
    by: { pod: "a", resource: "secrets" },
  }),
  {
    alert: "RollcastSourcesRefused",
    at: "20m",
    fires: { [REFUSED]: "0x10 1x30" },
    labels: { namespace },
    quiet: { [REFUSED]: "2x40" },
  },
  above("RollcastOutboxStuck", "rollcast_outbox_pending", { limit: 0, at: "6m" }),
  above("RollcastConsumerBehind", "rollcast_consumer_pending", {
    limit: 1_000,
    at: "11m",
    by: { job: "rollcast-restarter" },
  }),
  above("RollcastWorkloadsStale", "rollcast_stale_workloads_oldest_seconds", {
    limit: 1_800,
    at: "31m",
  }),
  above("RollcastWorkloadsFailing", "rollcast_workloads_failing", { limit: 0, at: "16m" }),
  outcome("RollcastRolloutsFailing", "failed"),
  outcome("RollcastRolloutsStalled", "stalled"),
  outcome("RollcastWorkloadThrottled", "throttled"),
  {
    alert: "RollcastPatchErrors",
    at: "25m",
    fires: { [patchErrors("Unavailable")]: "0+12x40" },
    labels: { namespace, reason: "Unavailable" },
    quiet: { [patchErrors("Conflict")]: "0+60x40", [patchErrors("Unavailable")]: "0+1x40" },
  },
  {
    // One workload that a policy refuses, tried every quarter of an hour at last.
    alert: "RollcastPatchErrors",
    at: "50m",
    fires: { [patchErrors("Refused")]: "0 1x1 2x3 3x7 4x14 5x14 6x20" },
    labels: { namespace, reason: "Refused" },
    // Refused, and let through at the next try.
    quiet: { [patchErrors("Refused")]: "0x25 3x40" },
  },
  above("RollcastKindForbidden", "rollcast_kind_forbidden", {
    limit: 0,
    at: "16m",
    by: { kind: "Job" },
  }),
  above("RollcastKindUnavailable", "rollcast_kind_unavailable", {
    limit: 0,
    at: "16m",
    by: { kind: "Rollout" },
  }),
  {
    alert: "RollcastAnnotationFaults",
    at: "20m",
    fires: { [`rollcast_annotation_faults_total{${NS}}`]: "0x10 1x30" },
    labels: { namespace },
    quiet: { [`rollcast_annotation_faults_total{${NS}}`]: "4x40" },
  },
  above("RollcastOtherInstallation", "rollcast_workloads_rolled_elsewhere", {
    limit: 0,
    at: "16m",
  }),
  {
    alert: "RollcastNotificationsDead",
    at: "20m",
    fires: { [DEAD]: "1x10 2x30" },
    labels: { namespace, receiver: "hook", reason: "404" },
    quiet: { [DEAD]: "2x40" },
  },
  {
    alert: "RollcastNotificationsDead",
    at: "20m",
    fires: { [DEAD]: "_x10 1x30" },
    labels: { namespace, receiver: "hook", reason: "404" },
    quiet: { [DEAD]: "_x2 1x40" },
  },
  {
    alert: "RollcastReceiverUnreachable",
    at: "16m",
    fires: { [`rollcast_receiver_circuit{${NS},receiver="hook",state="open"}`]: "1x20" },
    labels: { namespace, receiver: "hook" },
    quiet: {
      [`rollcast_receiver_circuit{${NS},receiver="hook",state="open"}`]: "0x20",
      [`rollcast_receiver_circuit{${NS},receiver="hook",state="closed"}`]: "1x20",
    },
  },
  above("RollcastNotificationsLate", "rollcast_notifications_oldest_seconds", {
    limit: 900,
    at: "6m",
    by: { receiver: "hook" },
  }),
  {
    alert: "RollcastConfigReloadFailed",
    at: "1m",
    fires: { [`rollcast_config_last_reload_successful{${NS}}`]: "0x5" },
    labels: { namespace },
    quiet: { [`rollcast_config_last_reload_successful{${NS}}`]: "1x5" },
  },
];

type Rule = {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

/** Promtool's unit tests of the examples. */
export function ruleTests(file: string, rules: readonly Rule[]): object {
  const test = (example: Example, series: Series, expected: readonly object[]) => ({
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: example.at, alertname: example.alert, exp_alerts: expected }],
  });
  return {
    rule_files: [file],
    evaluation_interval: "1m",
    tests: EXAMPLES.flatMap((example) => {
      const rule = rules.find(({ alert }) => alert === example.alert);
      if (rule === undefined) throw new Error(`there is no alert ${example.alert}`);
      const expected = {
        exp_labels: { ...example.labels, ...rule.labels },
        exp_annotations: rule.annotations,
      };
      return [test(example, example.fires, [expected]), test(example, example.quiet, [])];
    }),
  };
}
