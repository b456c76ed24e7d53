import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";

/** The events with this outcome; about the object of this name if one is given. */
export function findEvents(
  events: readonly RollcastEvent[],
  outcome: string,
  name?: string,
): RollcastEvent[] {
  const isAbout = ({ subject }: RollcastEvent) =>
    name === undefined || subject === name || subject?.endsWith(`/${name}`) === true;
  return events.filter((event) => eventOutcome(event.type).outcome === outcome && isAbout(event));
}

/** Words of the rollout events about a workload, in the order of the stream. */
export function wordsOf(events: readonly RollcastEvent[], name: string): string[] {
  return events
    .filter(({ subject }) => subject?.endsWith(`/${name}`))
    .map(({ type }) => eventOutcome(type))
    .filter(({ domain }) => domain === "rollout")
    .map(({ outcome }) => outcome);
}

const ENDS = new Set(["succeeded", "failed", "superseded", "cancelled"]);

/** How often each rollout has an event with one of the outcomes. */
function countRollouts(events: readonly RollcastEvent[], outcomes: ReadonlySet<string>) {
  const counts = new Map<string, number>();
  for (const { type, data } of events) {
    const { domain, outcome } = eventOutcome(type);
    const rollout = "rollout" in data ? data.rollout : undefined;
    if (domain !== "rollout" || rollout === undefined || !outcomes.has(outcome)) continue;
    counts.set(rollout, (counts.get(rollout) ?? 0) + 1);
  }
  return counts;
}

/** Rollouts that have an end and did not start: those whose patch was refused. */
export function endedOnly(events: readonly RollcastEvent[]): string[] {
  const started = countRollouts(events, new Set(["started"]));
  return [...countRollouts(events, ENDS).keys()].filter((id) => !started.has(id));
}

/**
 * Invariants of every test: each event id once in the stream, each started rollout with exactly one
 * end.
 */
export function faultsOf(events: readonly RollcastEvent[]): string[] {
  const faults: string[] = [];
  const ids = new Map<string, number>();
  for (const { id } of events) ids.set(id, (ids.get(id) ?? 0) + 1);
  for (const [id, count] of ids)
    if (count > 1) faults.push(`event ${id} is ${count} times in the stream`);
  const ends = countRollouts(events, ENDS);
  for (const [rollout, count] of countRollouts(events, new Set(["started"]))) {
    if (count !== 1) faults.push(`rollout ${rollout} started ${count} times`);
    if (ends.get(rollout) !== 1)
      faults.push(`rollout ${rollout} has ${ends.get(rollout) ?? 0} ends`);
  }
  return faults;
}
