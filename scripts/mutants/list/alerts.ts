import type { Mutant } from "./mutant.ts";

const RULES = "deploy/charts/rollcast/files/alerts.yaml";
const IN_RECORDINGS = {
  file: "test/alerts.test.ts",
  title: "alerts fire and are silent in every recording, as Prometheus' own tool reckons",
};

/** An alert says what is so, and as long as it is. */
export const ALERT_MUTANTS: readonly Mutant[] = [
  {
    name: "no-pod-is-not-down",
    undoes: "RollcastDown fires where a service has no pod.",
    file: RULES,
    find: `            unless group by (namespace, job) (up{job=~".*rollcast.*"})`,
    becomes: `            unless group by (namespace, job) (last_over_time(up{job=~".*rollcast.*"}[1h]))`,
    killedBy: IN_RECORDINGS,
  },
  {
    name: "failed-before-the-first-scrape",
    undoes: "A rollout that a process counts before its first scrape counts for the alert.",
    file: RULES,
    find: `            or rollcast_rollouts_total{outcome="failed"} > 0
              and on (job, instance) time() - process_start_time_seconds < 900`,
    becomes: `            or rollcast_rollouts_total{outcome="failed"} > 1000`,
    killedBy: IN_RECORDINGS,
  },
  {
    name: "few-patches-without-answer",
    undoes: "The patches of one workload that get no answer are enough for RollcastPatchErrors.",
    file: RULES,
    find: `> on (namespace) group_left () 0.5 * sum`,
    becomes: `> on (namespace) group_left () 5 * sum`,
    killedBy: IN_RECORDINGS,
  },
  {
    name: "old-dead-letters-after-a-gap",
    undoes: "Old dead letters are none of today where Prometheus was away.",
    file: RULES,
    find: `
              and on (job, instance) up offset 15m == 1`,
    becomes: ``,
    killedBy: IN_RECORDINGS,
  },
  {
    name: "first-dead-letter-is-no-increase",
    undoes: "The first dead letter of a series counts.",
    file: RULES,
    find: `            or rollcast_notifications_dead_total unless rollcast_notifications_dead_total offset 15m`,
    becomes: `            or rollcast_notifications_dead_total unless rollcast_notifications_dead_total`,
    killedBy: IN_RECORDINGS,
  },
  {
    name: "waiting-change-has-no-age",
    undoes: "A change that waits to be recorded has an age while NATS is away.",
    file: RULES,
    find: `max_over_time(rollcast_sources_in_flight_oldest_seconds[10m])) > 300`,
    becomes: `max_over_time(rollcast_outbox_pending[10m])) > 0`,
    killedBy: IN_RECORDINGS,
  },
  {
    name: "started-without-configuration",
    undoes: "The configuration with which a process has started counts as taken.",
    file: "libs/runtime/src/config/watch.ts",
    find: `  record(true);
  return record;`,
    becomes: `  return record;`,
    killedBy: {
      file: "libs/runtime/src/config/watch.test.ts",
      title: "each content is applied once, in its order, the first one too",
    },
  },
  {
    name: "mended-annotation-still-counts",
    undoes: "A workload whose annotations can be read again is not counted.",
    file: "services/restarter/src/events/annotation-faults.ts",
    find: `  const forget = (key: WorkloadKey) => {
    if (reported.delete(key)) count();`,
    becomes: `  const forget = (key: WorkloadKey) => {
    reported.delete(key);`,
    killedBy: {
      file: "services/restarter/src/events/annotation-faults.test.ts",
      title: "what cannot be read is logged, counted and recorded on the workload once per edit",
    },
  },
  {
    name: "recorded-source-stays-refused",
    undoes: "A source that can be recorded again is not counted as refused.",
    file: "services/watcher/src/store/recorder.ts",
    find: `      await task();
      refused.delete(key);`,
    becomes: `      await task();`,
    killedBy: {
      file: "services/watcher/test/state.test.ts",
      title:
        "a record of a newer version of Rollcast is skipped, and the rest is processed; it is counted until it can be read",
    },
  },
];
