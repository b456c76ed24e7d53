import { formatDuration } from "@rollcast/shared/duration";
import type { RolloutEvent } from "@rollcast/shared/events";
import { keysText, unique, outcomeOf, workloadName } from "./facts.ts";
import type { Message } from "./message.ts";
import { compareOutcomes } from "../model/severity.ts";

const LISTED = 100;

function duration(ms: number | undefined): string {
  return ms === undefined ? "" : formatDuration(ms);
}

function workloadVariables(event: RolloutEvent) {
  const { workload, reason = "", message = "", durationMs } = event.data;
  const { kind, namespace, name } = workload;
  return {
    kind,
    namespace,
    name,
    outcome: outcomeOf(event),
    reason,
    message,
    duration: duration(durationMs),
  };
}

function causeVariables(event: RolloutEvent | undefined) {
  const cause = event?.data.cause;
  return {
    kind: cause?.kind ?? "",
    namespace: cause?.namespace ?? "",
    name: cause?.name ?? "",
    keys: event === undefined ? "" : keysText(event),
    changedBy: cause?.changedBy?.manager ?? "",
    changedAt: cause?.changedAt ?? cause?.changedBy?.time ?? "",
  };
}

/**
 * The variables of a template. All of them are always set, possibly to the empty string, so that a
 * template that renders for one event renders for all. Where there are several rollouts, variables
 * about a single one describe the worst.
 */
export function variablesOf(message: Message): object {
  const { cluster, outcome, severity, title, text, next } = message;
  const events = message.events.toSorted((a, b) => compareOutcomes(outcomeOf(a), outcomeOf(b)));
  const [first] = events;
  const names = unique(events.map(workloadName));
  const { kind = "", namespace = "", name = "" } = first?.data.workload ?? {};
  return {
    cluster,
    outcome,
    severity,
    title,
    text,
    next: [...next],
    count: names.length,
    workload: names.length === 1 ? (names[0] ?? "") : `${names.length} workloads`,
    kind,
    namespace,
    name,
    workloads: events.slice(0, LISTED).map(workloadVariables),
    reason: first?.data.reason ?? "",
    message: first?.data.message ?? "",
    duration: duration(first?.data.durationMs),
    affected: Math.max(0, ...events.map(({ data }) => data.affected ?? 0)),
    queue: first?.data.queue ?? "",
    cause: causeVariables(first),
  };
}
