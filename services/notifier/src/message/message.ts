import { formatDuration } from "@rollcast/shared/duration";
import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { NotificationRecord } from "../model/notification-record.ts";

export const SEVERITIES = ["info", "warning", "error"] as const;
export type Severity = (typeof SEVERITIES)[number];

export type Fact = { readonly name: string; readonly value: string };

/** What people on call read and machines may parse; each receiver renders it in its own format. */
export type Message = {
  /** The same for all attempts. */
  readonly id: string;
  readonly cluster: string;
  /** The outcome that all events share (`failed`), or `mixed`. */
  readonly outcome: string;
  readonly severity: Severity;
  readonly title: string;
  /** The facts as lines, or the rendered template. */
  readonly text: string;
  readonly facts: readonly Fact[];
  /** Whether `text` comes from a template and replaces the facts. */
  readonly custom: boolean;
  /** Commands to run next, most important first. */
  readonly next: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly events: readonly RolloutEvent[];
  /** When the notification was created; milliseconds since the epoch. */
  readonly createdAt: number;
};

const SEVERITY_OF_OUTCOME: Readonly<Record<string, Severity>> = {
  failed: "error",
  stalled: "warning",
  throttled: "warning",
};

/** The severity of an outcome (`failed`). */
export function severityOf(outcome: string): Severity {
  return SEVERITY_OF_OUTCOME[outcome] ?? "info";
}

/** Sorts the worst outcome first, then by name. */
export function compareOutcomes(a: string, b: string): number {
  const worse = SEVERITIES.indexOf(severityOf(b)) - SEVERITIES.indexOf(severityOf(a));
  if (worse !== 0 || a === b) return worse;
  return a < b ? -1 : 1;
}

const LISTED = 20;
const KEYS_LISTED = 10;

export function outcomeOf(event: RolloutEvent): string {
  return eventOutcome(event.type).outcome;
}

export function workloadName({ data }: RolloutEvent): string {
  const { kind, namespace, name } = data.workload;
  return `${kind} ${namespace}/${name}`;
}

/**
 * Names of the changed keys, `+` before added and `-` before removed ones: `LOG_LEVEL, +NEW, 3
 * more`.
 */
export function keysText({ data }: RolloutEvent): string {
  if (data.cause?.changedKeys === undefined) return "";
  const { added, changed, removed, more = 0 } = data.cause.changedKeys;
  const names = [...changed, ...added.map((key) => `+${key}`), ...removed.map((key) => `-${key}`)];
  const left = names.length + more - KEYS_LISTED;
  return `${names.slice(0, KEYS_LISTED).join(", ")}${left > 0 ? `, ${left} more` : ""}`;
}

/** `ConfigMap shop/web-config (keys: LOG_LEVEL)`. */
function causeText(event: RolloutEvent): string | undefined {
  const { cause } = event.data;
  if (cause === undefined) return undefined;
  const source = `${cause.kind} ${cause.namespace}/${cause.name}`;
  const keys = keysText(event);
  return keys === "" ? source : `${source} (keys: ${keys})`;
}

function changedByText({ data }: RolloutEvent): string | undefined {
  const by = data.cause?.changedBy;
  const at = data.cause?.changedAt ?? by?.time;
  if (by === undefined) return at;
  return at === undefined ? by.manager : `${by.manager} at ${at}`;
}

function reasonText({ data }: RolloutEvent): string | undefined {
  if (data.reason === undefined) return data.message;
  return data.message === undefined ? data.reason : `${data.reason}: ${data.message}`;
}

/** How many other workloads the same change affects, if that was counted. */
function othersText(events: readonly RolloutEvent[]): string | undefined {
  const affected = Math.max(...events.map(({ data }) => data.affected ?? 0));
  if (affected === 0) return undefined;
  const workloads = unique(events.map(workloadName)).length;
  const others = Math.max(affected - workloads, 0);
  if (others === 0) return workloads === 1 ? "no other workload" : "no others";
  return `${others} other ${others === 1 ? "workload" : "workloads"}`;
}

/** The facts of one rollout, most important first. */
function factsOf(event: RolloutEvent, cluster: string): Fact[] {
  const { durationMs, dueAt } = event.data;
  return withValues([
    ["Cluster", cluster],
    ["Workload", workloadName(event)],
    ["Outcome", outcomeOf(event)],
    ["Reason", reasonText(event)],
    ["Cause", causeText(event)],
    ["Changed by", changedByText(event)],
    ["Duration", durationMs === undefined ? undefined : formatDuration(durationMs)],
    ["Same change", othersText([event])],
    ["Due at", dueAt],
  ]);
}

function withValues(facts: readonly [string, string | undefined][]): Fact[] {
  return facts.flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [{ name, value }],
  );
}

export function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

function joinCapped(values: readonly string[]): string {
  const left = values.length - LISTED;
  return `${values.slice(0, LISTED).join(", ")}${left > 0 ? `, ${left} more` : ""}`;
}

/** The workloads; by outcome, worst first, when the outcomes differ. */
function workloadFacts(events: readonly RolloutEvent[]): [string, string][] {
  const outcomes = unique(events.map(outcomeOf)).toSorted(compareOutcomes);
  if (outcomes.length === 1) {
    return [
      ["Workloads", joinCapped(unique(events.map(workloadName)))],
      ["Outcome", outcomes.join("")],
    ];
  }
  const by = outcomes.map((outcome) => {
    const names = unique(events.filter((event) => outcomeOf(event) === outcome).map(workloadName));
    return { outcome, names };
  });
  return [
    ["Outcome", by.map(({ outcome, names }) => `${names.length} ${outcome}`).join(", ")],
    ...by.map(({ outcome, names }): [string, string] => [
      `${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}`,
      joinCapped(names),
    ]),
  ];
}

/** The facts of several rollouts together. */
function groupFacts(events: readonly RolloutEvent[], cluster: string): Fact[] {
  const longest = Math.max(...events.map(({ data }) => data.durationMs ?? 0));
  const causes = unique(events.map(causeText));
  return withValues([
    ["Cluster", cluster],
    ...workloadFacts(events),
    ["Reason", joinCapped(unique(events.map(reasonText)))],
    ["Cause", joinCapped(causes)],
    ["Changed by", joinCapped(unique(events.map(changedByText)))],
    ["Longest", longest === 0 ? "" : formatDuration(longest)],
    // The number of affected workloads is only known for a single change.
    ["Same change", causes.length === 1 ? othersText(events) : undefined],
  ]);
}

/**
 * Commands are built only from valid Kubernetes names, so that pasting one into a shell does
 * nothing else.
 */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

type Status = (name: string, namespace: string) => string;

const kubectl =
  (resource: string): Status =>
  (name, namespace) =>
    `kubectl -n ${namespace} rollout status ${resource}/${name}`;

/** The status command of each kind; `kubectl rollout status` knows only three of them. */
const STATUS: ReadonlyMap<string, Status> = new Map([
  ["Deployment", kubectl("deployment")],
  ["StatefulSet", kubectl("statefulset")],
  ["DaemonSet", kubectl("daemonset")],
  ["CronJob", (name, namespace) => `kubectl -n ${namespace} describe cronjob/${name}`],
  ["Job", (name, namespace) => `kubectl -n ${namespace} describe job/${name}`],
  ["Rollout", (name, namespace) => `kubectl argo rollouts status ${name} -n ${namespace}`],
  ["DeploymentConfig", (name, namespace) => `oc -n ${namespace} rollout status dc/${name}`],
]);

/** Outcomes after which to look at the pods, and outcomes that only Rollcast can explain. */
const NEEDS_STATUS = new Set(["failed", "stalled", "started"]);
const NEEDS_EXPLAIN = new Set(["failed", "stalled", "throttled", "deferred", "skipped"]);

/**
 * The commands to run next for one rollout, e.g. `kubectl -n shop rollout status deployment/web`;
 * none when all is well.
 */
export function nextCommands(event: RolloutEvent): string[] {
  const { kind, namespace, name } = event.data.workload;
  const outcome = outcomeOf(event);
  const status = STATUS.get(kind);
  if (status === undefined || !NAME.test(namespace) || !NAME.test(name)) return [];
  return [
    ...(NEEDS_STATUS.has(outcome) ? [status(name, namespace)] : []),
    ...(NEEDS_EXPLAIN.has(outcome)
      ? [`rollcast explain ${kind.toLowerCase()}/${name} -n ${namespace}`]
      : []),
  ];
}

const NEXT_COMMANDS = 4;

const TITLE: Readonly<Record<string, (what: string) => string>> = {
  planned: (what) => `Rollout planned: ${what}`,
  deferred: (what) => `Rollout deferred: ${what}`,
  throttled: (what) => `Rolled too often, slowed down: ${what}`,
  started: (what) => `Rollout started: ${what}`,
  stalled: (what) => `Rollout does not come to an end: ${what}`,
  succeeded: (what) => `Rolled out: ${what}`,
  failed: (what) => `Rollout failed: ${what}`,
  superseded: (what) => `Rollout superseded: ${what}`,
  cancelled: (what) => `Rollout cancelled: ${what}`,
  skipped: (what) => `Rollout skipped: ${what}`,
};

/** Builds the message of a notification; the same for every attempt. */
export function messageOf(
  record: Pick<NotificationRecord, "id" | "events" | "labels" | "createdAt">,
  cluster: string,
): Message {
  const { events } = record;
  const outcomes = unique(events.map(outcomeOf)).toSorted(compareOutcomes);
  const [worst = "mixed"] = outcomes;
  const outcome = outcomes.length === 1 ? worst : "mixed";
  const [only] = events;
  const single = only !== undefined && events.length === 1;
  const what = single ? workloadName(only) : `${unique(events.map(workloadName)).length} workloads`;
  const facts = single ? factsOf(only, cluster) : groupFacts(events, cluster);
  const title = TITLE[outcome]?.(what) ?? `Rollouts of ${what}: ${outcomes.join(", ")}`;
  const next = events
    .toSorted((a, b) => compareOutcomes(outcomeOf(a), outcomeOf(b)))
    .flatMap(nextCommands)
    .slice(0, NEXT_COMMANDS);
  return {
    id: record.id,
    cluster,
    outcome,
    severity: severityOf(worst),
    title: `${title} (${cluster})`,
    text: facts.map(({ name, value }) => `${name}: ${value}`).join("\n"),
    facts,
    custom: false,
    next,
    labels: record.labels,
    events,
    createdAt: record.createdAt,
  };
}
