import type { Facts } from "../oracle/facts.ts";

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
