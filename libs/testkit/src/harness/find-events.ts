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
