import { formatDuration } from "@rollcast/shared/duration";
import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import { compareOutcomes } from "../model/severity.ts";

export type Fact = { readonly name: string; readonly value: string };

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
export function causeText(event: RolloutEvent): string | undefined {
  const { cause } = event.data;
  if (cause === undefined) return undefined;
  const source = `${cause.kind} ${cause.namespace}/${cause.name}`;
  const keys = keysText(event);
  return keys === "" ? source : `${source} (keys: ${keys})`;
}

export function changedByText({ data }: RolloutEvent): string | undefined {
  const by = data.cause?.changedBy;
  const at = data.cause?.changedAt ?? by?.time;
  if (by === undefined) return at;
  return at === undefined ? by.manager : `${by.manager} at ${at}`;
}

export function reasonText({ data }: RolloutEvent): string | undefined {
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
export function factsOf(event: RolloutEvent, cluster: string): Fact[] {
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
export function groupFacts(events: readonly RolloutEvent[], cluster: string): Fact[] {
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
