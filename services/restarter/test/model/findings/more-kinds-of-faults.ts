import type { Facts } from "../oracle/facts.ts";
import { patchOf } from "../oracle/truth.ts";

/**
 * Whether the rollout that began at this place had been dropped from its record before, after its
 * patch was applied, by a decision that knew the workload from before the patch.
 */
export function isDroppedInFlight(facts: Facts, start: number): boolean {
  const { events, history, rollouts } = facts;
  const id = events.find(({ i }) => i === start)?.event.data.rollout ?? "";
  const rollout = rollouts.get(id)?.rollout;
  const patch = rollout === undefined ? undefined : patchOf(facts, rollout, start);
  if (patch === undefined) return false;
  const { uid, generation = 0 } = patch.object.metadata;
  const records = history.flatMap((entry, i) => {
    const record = entry.type === "record" ? entry.record : undefined;
    return record?.uid === uid ? [{ i, record }] : [];
  });
  const last = records.findLast(({ i }) => i < patch.i)?.record;
  const next = records.find(({ i }) => i > patch.i && i < start);
  return (
    last?.phase === "pending" &&
    last.rollout?.id === id &&
    next !== undefined &&
    next.record.rollout === undefined &&
    next.record.generation < generation
  );
}
