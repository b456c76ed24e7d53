import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { editBefore, isEachLack, isUnrecorded } from "./lacks.ts";

/**
 * Whether each source was created after its pod, and the edit or creation of the workload before
 * that was not recorded yet.
 */
export function isCreatedUnrecorded(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, (lack) => {
    const { changedAt, pod, source } = lack;
    const before = facts.changes.findLast(({ i, source: of }) => i < changedAt && of === source);
    const edit = editBefore(facts, lack, changedAt);
    if (before?.digest !== undefined || pod.content.has(source)) return false;
    return edit !== undefined && pod.from < changedAt && isUnrecorded(facts, edit, changedAt);
  });
}

const OUTAGE = ["NATS does not answer from now on.", "NATS answers again."] as const;

/** What keeps a change from the restarter, by the acts that begin and end it. */
const DELAYS = [
  OUTAGE,
  ["Watches of sources deliver nothing from now on.", "Watches of sources deliver again."],
] as const;

/**
 * Whether the patch at a place is of a workload that was made while changes of sources did not
 * reach the restarter, after the last of them.
 */
export function isMadeBeforeChangeIsKnown(
  { changes, history, writes }: Facts,
  place: number,
): boolean {
  const uid = writes.find(({ i }) => i === place)?.object.metadata.uid;
  const made = writes.find(({ object }) => object.metadata.uid === uid);
  if (uid === undefined || made === undefined) return false;
  const acts = history.slice(0, made.i).flatMap((entry) => (entry.type === "act" ? entry : []));
  const isDelayed = DELAYS.some(
    ([from, to]) => acts.findLast(({ text }) => text === from || text === to)?.text === from,
  );
  const changed = changes.findLast(({ i }) => i < place);
  return isDelayed && (changed?.i ?? 0) < made.i;
}
