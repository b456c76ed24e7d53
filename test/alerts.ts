/** An alert that must fire in a recording, as a person would expect it to. */
export type Firing = {
  /** Name of the recording in test/fixtures/alerts. */
  readonly scenario: string;
  readonly alert: string;
  /** Beside `namespace`, and what the rule itself adds. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The act that causes it; before, the alert is silent. */
  readonly after: string;
  /** Minutes after that act until it must fire. */
  readonly within: number;
  /** It must fire until then: an act, or so many minutes after the first one. */
  readonly until: string | number;
  /** So many minutes after an act it must be silent again; left out where that is not recorded. */
  readonly over?: { readonly after: string; readonly within: number };
};

const labelsOfDown = { job: "rollcast-restarter", instance: "10.0.0.3:8080" };
const pod = (name: string, resource: string) => ({ pod: `rollcast-${name}`, resource });

/** Everything that fires in any recording; whatever is not here must be silent. */
export const FIRINGS: readonly Firing[] = [
  {
    scenario: "down",
    alert: "RollcastDown",
    labels: { ...labelsOfDown, pod: "rollcast-restarter-3" },
    after: "process-down",
    within: 6,
    until: "process-back",
    over: { after: "process-back", within: 1 },
  },
  {
    scenario: "down",
    alert: "RollcastDown",
    labels: { job: "rollcast-notifier" },
    after: "no-pod",
    within: 6,
    // The next one is a target before it is ready.
    until: 8.5,
    over: { after: "pod-back", within: 1 },
  },
  {
    scenario: "down",
    alert: "RollcastOutboxStuck",
    after: "no-nats",
    within: 6,
    until: "nats-back",
    over: { after: "nats-back", within: 11 },
  },
  ...["watcher-1", "watcher-2"].map((name) => ({
    scenario: "watcher",
    alert: "RollcastWatchStale",
    labels: pod(name, "configmaps"),
    after: "watch-stalls",
    within: 12,
    until: "watch-answers",
    over: { after: "watch-answers", within: 2 },
  })),
  {
    scenario: "watcher",
    alert: "RollcastSourcesRefused",
    after: "refused",
    within: 6,
    until: "mended",
    over: { after: "mended", within: 1 },
  },
  {
    scenario: "watcher",
    alert: "RollcastOutboxStuck",
    after: "stream-full",
    within: 6,
    until: "stream-empty",
    over: { after: "stream-empty", within: 11 },
  },
  {
    scenario: "redis",
    alert: "RollcastConsumerBehind",
    labels: { job: "rollcast-restarter" },
    after: "no-redis",
    within: 14,
    until: "redis-back",
    over: { after: "redis-back", within: 4 },
  },
  // Without Redis the resync can give no workload to its queue.
  {
    scenario: "redis",
    alert: "RollcastWorkloadsFailing",
    after: "no-redis",
    within: 17,
    until: "redis-back",
    over: { after: "redis-back", within: 2 },
  },
  {
    scenario: "refused",
    alert: "RollcastWorkloadsStale",
    after: "patches-fail",
    within: 35.9,
    until: "mended",
    over: { after: "mended", within: 2 },
  },
  {
    scenario: "refused",
    alert: "RollcastRolloutsFailing",
    after: "patches-fail",
    within: 3,
    until: 15,
  },
  ...["Refused", "Unavailable"].map((reason) => ({
    scenario: "refused",
    alert: "RollcastPatchErrors",
    labels: { reason },
    after: "patches-fail",
    within: 32,
    until: "mended",
    over: { after: "mended", within: 41 },
  })),
  {
    scenario: "workloads",
    alert: "RollcastWorkloadsFailing",
    after: "broken",
    within: 16,
    until: "mended",
    over: { after: "mended", within: 2 },
  },
  {
    scenario: "workloads",
    alert: "RollcastKindForbidden",
    labels: { kind: "StatefulSet" },
    after: "broken",
    within: 16,
    until: "mended",
    over: { after: "mended", within: 2 },
  },
  {
    scenario: "workloads",
    alert: "RollcastKindUnavailable",
    labels: { kind: "Rollout" },
    after: "broken",
    within: 16,
    until: "mended",
    over: { after: "mended", within: 2 },
  },
  {
    scenario: "workloads",
    alert: "RollcastAnnotationFaults",
    labels: { object: "workload" },
    after: "broken",
    within: 6,
    until: "mended",
    over: { after: "mended", within: 1 },
  },
  {
    scenario: "workloads",
    alert: "RollcastOtherInstallation",
    after: "other-installation",
    within: 16,
    until: 20,
  },
  {
    scenario: "rollouts",
    alert: "RollcastRolloutsFailing",
    after: "no-room",
    within: 3,
    until: 15,
    over: { after: "no-room", within: 18 },
  },
  {
    scenario: "rollouts",
    alert: "RollcastRolloutsStalled",
    after: "no-room",
    within: 4,
    until: 16,
    over: { after: "no-room", within: 19 },
  },
  {
    scenario: "rollouts",
    alert: "RollcastWorkloadThrottled",
    after: "busy",
    within: 1,
    until: 28,
    over: { after: "busy", within: 34 },
  },
  {
    scenario: "rollouts",
    alert: "RollcastRolloutsFailing",
    after: "restarters-back",
    within: 2,
    until: 13,
    over: { after: "restarters-back", within: 17 },
  },
  {
    scenario: "replaced",
    alert: "RollcastRolloutsFailing",
    after: "no-restarter",
    within: 3,
    until: 5,
  },
  {
    scenario: "rollouts",
    alert: "RollcastRolloutsFailing",
    after: "once-refused",
    within: 2,
    until: 10,
  },
  {
    scenario: "receivers",
    alert: "RollcastNotificationsDead",
    labels: { receiver: "missing", reason: "not-found" },
    after: "first-dead",
    within: 2,
    until: 15,
    over: { after: "failing", within: 16 },
  },
  {
    scenario: "receivers",
    alert: "RollcastNotificationsDead",
    labels: { receiver: "missing", reason: "not-found" },
    after: "more-dead",
    within: 2,
    until: 15,
    over: { after: "well", within: 16 },
  },
  {
    scenario: "receivers",
    alert: "RollcastReceiverUnreachable",
    labels: { receiver: "failing" },
    after: "failing",
    within: 18,
    until: "well",
    over: { after: "well", within: 16 },
  },
  {
    scenario: "receivers",
    alert: "RollcastNotificationsLate",
    labels: { receiver: "failing" },
    after: "failing",
    within: 22,
    until: "well",
    over: { after: "well", within: 17 },
  },
  {
    scenario: "receivers",
    alert: "RollcastConfigReloadFailed",
    after: "config-refused",
    within: 6,
    until: "config-mended",
    over: { after: "config-mended", within: 1 },
  },
  {
    scenario: "old-letters",
    alert: "RollcastNotificationsDead",
    labels: { receiver: "hook", reason: "not-found" },
    after: "dead",
    within: 2,
    until: 14,
    over: { after: "well", within: 16 },
  },
];

/** What comes close to an alert, in a recording in which that is silent then. */
export const NEAR: Readonly<Record<string, readonly { scenario: string; act: string }[]>> = {
  RollcastDown: [
    { scenario: "quiet", act: "watcher-killed" },
    { scenario: "quiet", act: "update" },
  ],
  RollcastWatchStale: [{ scenario: "quiet", act: "no-api-server" }],
  RollcastSourcesRefused: [{ scenario: "watcher", act: "refused-shortly" }],
  RollcastOutboxStuck: [
    { scenario: "quiet", act: "no-nats" },
    { scenario: "quiet", act: "many" },
  ],
  RollcastConsumerBehind: [{ scenario: "redis", act: "burst" }],
  RollcastWorkloadsStale: [{ scenario: "rollouts", act: "no-room" }],
  RollcastWorkloadsFailing: [{ scenario: "workloads", act: "broken-shortly" }],
  RollcastRolloutsFailing: [{ scenario: "quiet", act: "slow" }],
  RollcastRolloutsStalled: [{ scenario: "quiet", act: "slow" }],
  RollcastWorkloadThrottled: [{ scenario: "quiet", act: "edited" }],
  RollcastPatchErrors: [
    { scenario: "quiet", act: "edited" },
    { scenario: "rollouts", act: "once-refused" },
  ],
  RollcastKindForbidden: [{ scenario: "workloads", act: "broken-shortly" }],
  RollcastKindUnavailable: [{ scenario: "workloads", act: "broken-shortly" }],
  RollcastAnnotationFaults: [{ scenario: "workloads", act: "broken-shortly" }],
  RollcastOtherInstallation: [{ scenario: "moved", act: "moved" }],
  RollcastNotificationsDead: [
    { scenario: "old-letters", act: "prometheus-back" },
    { scenario: "old-letters", act: "notifier-restarted" },
  ],
  RollcastReceiverUnreachable: [{ scenario: "receivers", act: "fails-shortly" }],
  RollcastNotificationsLate: [{ scenario: "receivers", act: "fails-shortly" }],
  RollcastConfigReloadFailed: [{ scenario: "receivers", act: "config-refused-shortly" }],
};
