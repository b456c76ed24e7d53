import { formatDuration } from "@rollcast/shared/duration";
import { eventWord } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import { compareWords } from "../model/severity.ts";

export type Fact = { readonly name: string; readonly value: string };

const LISTED = 20;
const KEYS_LISTED = 10;

export function wordOf(event: RolloutEvent): string {
  return eventWord(event.type).word;
}

export function workloadName({ data }: RolloutEvent): string {
  const { kind, namespace, name } = data.workload;
  return `${kind} ${namespace}/${name}`;
}

/** Names of the keys that differ, `+` before added and `-` before removed ones: `LOG_LEVEL, +NEW, 3 more`. */
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

/** How many others the same change concerns, where that was counted. */
function othersText(events: readonly RolloutEvent[]): string | undefined {
  const affected = Math.max(...events.map(({ data }) => data.affected ?? 0));
  if (affected === 0) return undefined;
  const told = unique(events.map(workloadName)).length;
  const others = Math.max(affected - told, 0);
  if (others === 0) return told === 1 ? "no other workload" : "no others";
  return `${others} other ${others === 1 ? "workload" : "workloads"}`;
}

/** What one rollout has to say, most wanted first. */
export function factsOf(event: RolloutEvent, cluster: string): Fact[] {
  const { durationMs, dueAt } = event.data;
  return present([
    ["Cluster", cluster],
    ["Workload", workloadName(event)],
    ["Outcome", wordOf(event)],
    ["Reason", reasonText(event)],
    ["Cause", causeText(event)],
    ["Changed by", changedByText(event)],
    ["Duration", durationMs === undefined ? undefined : formatDuration(durationMs)],
    ["Same change", othersText([event])],
    ["Due at", dueAt],
  ]);
}

function present(facts: readonly [string, string | undefined][]): Fact[] {
  return facts.flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [{ name, value }],
  );
}

export function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

function listed(values: readonly string[]): string {
  const left = values.length - LISTED;
  return `${values.slice(0, LISTED).join(", ")}${left > 0 ? `, ${left} more` : ""}`;
}

/** The workloads, by outcome where they differ, worst first. */
function workloadFacts(events: readonly RolloutEvent[]): [string, string][] {
  const words = unique(events.map(wordOf)).toSorted(compareWords);
  if (words.length === 1) {
    return [
      ["Workloads", listed(unique(events.map(workloadName)))],
      ["Outcome", words.join("")],
    ];
  }
  const by = words.map((word) => {
    const names = unique(events.filter((one) => wordOf(one) === word).map(workloadName));
    return { word, names };
  });
  return [
    ["Outcome", by.map(({ word, names }) => `${names.length} ${word}`).join(", ")],
    ...by.map(({ word, names }): [string, string] => [
      `${word.charAt(0).toUpperCase()}${word.slice(1)}`,
      listed(names),
    ]),
  ];
}

/** What many rollouts have to say together. */
export function groupFacts(events: readonly RolloutEvent[], cluster: string): Fact[] {
  const longest = Math.max(...events.map(({ data }) => data.durationMs ?? 0));
  const causes = unique(events.map(causeText));
  return present([
    ["Cluster", cluster],
    ...workloadFacts(events),
    ["Reason", listed(unique(events.map(reasonText)))],
    ["Cause", listed(causes)],
    ["Changed by", listed(unique(events.map(changedByText)))],
    ["Longest", longest === 0 ? "" : formatDuration(longest)],
    // Only of one change can it be said how many more it concerns.
    ["Same change", causes.length === 1 ? othersText(events) : undefined],
  ]);
}
