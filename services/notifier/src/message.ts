import { formatDuration } from "@rollcast/shared/duration";
import { eventWord } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { NotificationRecord } from "./record.ts";

export type Severity = "info" | "warning" | "error";
export type Fact = { readonly name: string; readonly value: string };

/** What a person on call reads and a machine may parse; a receiver gives it its form. */
export type Message = {
  /** The same over all tries. */
  readonly id: string;
  readonly cluster: string;
  /** The word all events share (`failed`), or `mixed`. */
  readonly outcome: string;
  readonly severity: Severity;
  readonly title: string;
  readonly text: string;
  readonly facts: readonly Fact[];
  readonly labels: Readonly<Record<string, string>>;
  readonly events: readonly RolloutEvent[];
  /** When the notification was made; milliseconds since the epoch. */
  readonly createdAt: number;
};

const SEVERITY: Readonly<Record<string, Severity>> = {
  failed: "error",
  stalled: "warning",
  throttled: "warning",
};
const RANK: readonly Severity[] = ["info", "warning", "error"];
const LISTED = 20;
const KEYS_LISTED = 10;

export function severityOf(word: string): Severity {
  return SEVERITY[word] ?? "info";
}

const TITLE: Readonly<Record<string, (what: string) => string>> = {
  planned: (what) => `Rollout planned: ${what}`,
  deferred: (what) => `Rollout deferred: ${what}`,
  throttled: (what) => `Rolled too often, slowed down: ${what}`,
  started: (what) => `Rollout started: ${what}`,
  stalled: (what) => `Rollout does not come to an end: ${what}`,
  succeeded: (what) => `Rolled out: ${what}`,
  failed: (what) => `Rollout failed: ${what}`,
  superseded: (what) => `Rollout overtaken by a newer one: ${what}`,
  cancelled: (what) => `Rollout cancelled: ${what}`,
  skipped: (what) => `Rollout skipped: ${what}`,
};

function wordOf(event: RolloutEvent): string {
  return eventWord(event.type).word;
}

function workloadName({ data }: RolloutEvent): string {
  const { kind, namespace, name } = data.workload;
  return `${kind} ${namespace}/${name}`;
}

/** `ConfigMap shop/web-config (keys: LOG_LEVEL, +3 more)`. */
function causeText({ data }: RolloutEvent): string | undefined {
  const { cause } = data;
  if (cause === undefined) return undefined;
  const source = `${cause.kind} ${cause.namespace}/${cause.name}`;
  if (cause.changedKeys === undefined) return source;
  const { added, changed, removed, more = 0 } = cause.changedKeys;
  const names = [...changed, ...added.map((key) => `+${key}`), ...removed.map((key) => `-${key}`)];
  const left = names.length + more - KEYS_LISTED;
  const listed = names.slice(0, KEYS_LISTED).join(", ");
  if (listed === "") return source;
  return `${source} (keys: ${listed}${left > 0 ? `, ${left} more` : ""})`;
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

/** What one rollout has to say, most wanted first. */
function factsOf(event: RolloutEvent, cluster: string): Fact[] {
  const { durationMs, dueAt } = event.data;
  const facts: [string, string | undefined][] = [
    ["Cluster", cluster],
    ["Workload", workloadName(event)],
    ["Outcome", wordOf(event)],
    ["Reason", reasonText(event)],
    ["Cause", causeText(event)],
    ["Changed by", changedByText(event)],
    ["Duration", durationMs === undefined ? undefined : formatDuration(durationMs)],
    ["Due at", dueAt],
  ];
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

function listed(values: readonly string[]): string {
  const left = values.length - LISTED;
  return `${values.slice(0, LISTED).join(", ")}${left > 0 ? `, ${left} more` : ""}`;
}

/** What many rollouts have to say together. */
function groupFacts(events: readonly RolloutEvent[], cluster: string): Fact[] {
  const longest = Math.max(...events.map(({ data }) => data.durationMs ?? 0));
  const facts: [string, string][] = [
    ["Cluster", cluster],
    ["Workloads", listed(unique(events.map(workloadName)))],
    ["Outcome", unique(events.map(wordOf)).join(", ")],
    ["Reason", listed(unique(events.map(reasonText)))],
    ["Cause", listed(unique(events.map(causeText)))],
    ["Changed by", listed(unique(events.map(changedByText)))],
    ["Longest", longest === 0 ? "" : formatDuration(longest)],
  ];
  return facts.flatMap(([name, value]) => (value === "" ? [] : [{ name, value }]));
}

/** The message of a notification: the same at every try. */
export function messageOf(record: NotificationRecord, cluster: string): Message {
  const { events } = record;
  const words = unique(events.map(wordOf));
  const outcome = words.length === 1 ? (words[0] ?? "mixed") : "mixed";
  const severity =
    RANK[Math.max(0, ...words.map((word) => RANK.indexOf(severityOf(word))))] ?? "info";
  const [only] = events;
  const single = only !== undefined && events.length === 1;
  const what = single ? workloadName(only) : `${unique(events.map(workloadName)).length} workloads`;
  const facts = single ? factsOf(only, cluster) : groupFacts(events, cluster);
  const title = TITLE[outcome]?.(what) ?? `Rollouts of ${what}: ${words.join(", ")}`;
  return {
    id: record.id,
    cluster,
    outcome,
    severity,
    title: `${title} (${cluster})`,
    text: facts.map(({ name, value }) => `${name}: ${value}`).join("\n"),
    facts,
    labels: record.labels,
    events,
    createdAt: record.createdAt,
  };
}
