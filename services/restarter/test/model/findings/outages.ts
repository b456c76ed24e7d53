import { isPatch } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";

/**
 * Whether the patch of a rollout, or the one that the event of its start is about, is of a workload
 * that its owner deleted, or whose marker he took off, before a record said so: its author died, or
 * had no answer.
 */
export function isGoneUnrecorded(facts: Facts, { i: place, what }: Violation): boolean {
  const { events, history, rollouts, writes } = facts;
  if (!/no event says that it began|began and has no end/.test(what)) return false;
  const begun = events.find(({ i }) => i === place)?.event.data.rollout ?? "";
  const marker = rollouts.get(begun)?.rollout.marker;
  const patch = writes.find(
    (write) => isPatch(write) && (write.i === place || write.marker === marker),
  );
  const gone = writes.find(
    ({ by, deleted, i, markerChanged, object }) =>
      (deleted || markerChanged) &&
      by !== "rollcast" &&
      i > (patch?.i ?? history.length) &&
      object.metadata.name === patch?.object.metadata.name,
  );
  if (patch === undefined || gone === undefined) return false;
  return !history
    .slice(patch.i, gone.i)
    .some((entry) => entry.type === "record" && entry.record?.phase === "rolling");
}
