import { isPatch } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { patchOf } from "../oracle/truth.ts";

/**
 * Whether the violation is of a rollout that was applied and failed without an answer: of its end,
 * of its patch, of the next patch with the same content, or of the next rollout, which finds it.
 */
export function isAppliedAndFailed(facts: Facts, { i, property }: Violation): boolean {
  const event = facts.events.find(({ i: at }) => at === i)?.event;
  const begun = facts.rollouts.get(event?.data.rollout ?? "")?.rollout;
  if (property === "failed is true") {
    const isLate = event?.data.reason === "Timeout" && begun !== undefined;
    return isLate && patchOf(facts, begun, i) !== undefined;
  }
  const ours = facts.writes.filter((write) => isPatch(write) && write.i < i);
  const earlier = ours.findLast(({ marker }) => marker === begun?.marker)?.i;
  const patch = property === "rolled once" ? ours.at(-1)?.i : earlier;
  // A failure is published once for its content and reason, and recorded each time.
  const next = facts.history.find((entry, at) => at > (patch ?? i) && entry.type === "record");
  const record = next?.type === "record" ? next.record : undefined;
  return record?.phase === "failed" && record.failure?.reason === "Timeout";
}

/** The annotation with which workloads of the world opt in. */
export const OPT_IN = "rollcast.dev/auto";

/**
 * Whether a rollout's workload was opted out before its start, and the next that was recorded after
 * the decision is that the record is removed.
 */
export function optedOutBeforeStart(facts: Facts, start: number): boolean {
  const { events, history, writes } = facts;
  const event = events.find(({ i }) => i === start)?.event;
  const decided = history.findLastIndex(
    (entry) => entry.type === "record" && entry.record?.rollout?.id === event?.data.rollout,
  );
  const next = history.find((entry, i) => i > decided && entry.type === "record");
  const last = history[decided];
  const wasPending = last?.type === "record" && last.record?.phase === "pending";
  const hasOptedOut = writes.some(
    ({ i, before, object }) =>
      i < start &&
      before?.metadata.annotations?.[OPT_IN] === "true" &&
      object.metadata.annotations?.[OPT_IN] !== "true",
  );
  return wasPending && next?.type === "record" && next.record === undefined && hasOptedOut;
}

/**
 * Whether the write or the start at a place, or our last write before it, is of a rollout that was
 * applied to a workload of another uid.
 */
export function isOfAnotherUid({ events, rollouts, writes }: Facts, place: number): boolean {
  const before = writes.findLast((write) => write.i < place && isPatch(write));
  return events.some(({ i, event }) => {
    const { rollout, workload } = event.data;
    const begun = rollouts.get(rollout ?? "")?.rollout;
    if (event.outcome !== "started" || begun === undefined) return false;
    const isDeleted = writes.some(
      ({ by, deleted, object }) =>
        deleted && by !== "rollcast" && object.metadata.uid === workload.uid,
    );
    if (!isDeleted) return false;
    return writes.some(
      (write) =>
        (write.i === place || write === before || i === place) &&
        isPatch(write) &&
        write.at >= begun.decidedAt &&
        write.marker === begun.marker &&
        workload.uid !== write.object.metadata.uid,
    );
  });
}

/** How far before a write it is recorded that its answer is lost. */
const NEAR = 3;

/** Whether the write at this place was applied without an answer. */
export function isUnanswered({ history }: Facts, i: number): boolean {
  return history
    .slice(Math.max(0, i - NEAR), i)
    .some((entry) => entry.type === "lost" && entry.kind === "patch" && entry.performed);
}

/** In the sentence of a kill. */
const KILLED = "is killed";

/**
 * Whether a process that had decided to patch stood still before the call, and was not killed, when
 * the rollout was dropped.
 */
function wasUnderway(
  { history }: Facts,
  place: { readonly from: number; readonly dropped: number; readonly patch: number },
): boolean {
  const between = history.slice(place.from, place.patch);
  const isKilled = between.some((entry) => entry.type === "act" && entry.text.includes(KILLED));
  const isStopped = history
    .slice(place.from, place.dropped)
    .some((entry) => entry.type === "stopped" && entry.kind === "patch");
  return isStopped && !isKilled;
}

/**
 * Whether the rollout that began, or was patched, at this place was dropped from its record while
 * its patch was on its way, or not recorded yet, by a decision that knew the workload from before
 * the patch, or another of its name.
 */
export function isDroppedInFlight(facts: Facts, place: number): boolean {
  const { events, history, rollouts, writes } = facts;
  const id = events.find(({ i }) => i === place)?.event.data.rollout ?? "";
  const begun = rollouts.get(id)?.rollout;
  const own = writes.find(({ i, by }) => i === place && by === "rollcast");
  const patch = begun === undefined ? own : patchOf(facts, begun, place);
  if (patch === undefined) return false;
  const { uid, generation = 0 } = patch.object.metadata;
  const records = history.flatMap((entry, i) =>
    entry.type === "record" && entry.record !== undefined ? [{ i, record: entry.record }] : [],
  );
  const decided = records.findLast(
    ({ i, record: { phase, rollout, uid: of } }) =>
      i < patch.i && of === uid && phase === "pending" && rollout?.marker === patch.marker,
  );
  const next = records.find(({ i }) => i > (decided?.i ?? patch.i));
  return (
    decided !== undefined &&
    next !== undefined &&
    (next.i > patch.i ||
      wasUnderway(facts, { from: decided.i, dropped: next.i, patch: patch.i })) &&
    next.record.rollout?.marker !== patch.marker &&
    // It knew the workload from before the patch, or another one of its name.
    (next.record.uid !== uid || next.record.generation < generation)
  );
}
