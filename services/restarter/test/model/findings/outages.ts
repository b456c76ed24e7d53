import { isPatch } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";

/**
 * Whether the quota of a rollout was released before its record was written: its process had stood
 * still for longer than one that is killed would need to be replaced.
 */
export function isQuotaReleasedEarly({ history }: Facts, place: number): boolean {
  const reserved = new Map<string, number>();
  return history.slice(0, place).some((entry, i) => {
    if (entry.type === "control" && entry.entry?.type === "state") {
      const ids = new Set(Object.values(entry.entry.rolling).map(({ rollout }) => rollout));
      for (const id of ids) if (!reserved.has(id)) reserved.set(id, i);
      return false;
    }
    if (entry.type !== "record" || entry.record?.phase !== "pending") return false;
    const { id = "" } = entry.record.rollout ?? {};
    return history
      .slice(reserved.get(id) ?? i, i)
      .some(
        (other) =>
          other.type === "control" &&
          other.entry?.type === "state" &&
          !Object.values(other.entry.rolling).some(({ rollout }) => rollout === id),
      );
  });
}

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
