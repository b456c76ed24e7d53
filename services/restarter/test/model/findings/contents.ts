import { isPatch } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { editBefore, isEachLack, isUnrecorded, recordedAt, rollingAt } from "./lacks.ts";

/**
 * Whether each pod was made between two changes of which the restarter recorded neither, and not by
 * an edit that it had still to see: the second brought back what its record had, or what there was
 * before where it had none of the workload yet.
 */
export function isContentBack(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, (lack) => {
    const { changedAt, pod, source, wanted } = lack;
    const ran = pod.content.get(source);
    const away = facts.changes.findLast(
      (change) => change.i < pod.from && change.source === source,
    );
    if (away === undefined || pod.from > changedAt) return false;
    const isByUnseenEdit = facts.writes.some(
      (write) =>
        write.templateChanged &&
        write.by !== "rollcast" &&
        write.object.metadata.uid === pod.owner &&
        away.i < write.i &&
        write.i < pod.from &&
        isUnrecorded(facts, write, changedAt),
    );
    if (isByUnseenEdit) return false;
    const between = facts.history.slice(away.i, changedAt);
    const isUnknown = !facts.history
      .slice(0, changedAt)
      .some((entry) => entry.type === "record" && entry.record?.uid === pod.owner);
    const before = facts.changes.findLast(({ i, source: of }) => i < away.i && of === source);
    const isBack = [recordedAt, rollingAt].some((at) => at(facts, lack, changedAt) === wanted);
    const recorded = facts.history
      .slice(0, changedAt + 1)
      .findLastIndex((entry) => entry.type === "record" && entry.record?.uid === pod.owner);
    const last = facts.history[recorded];
    const isMidway = last?.type === "record" && last.record?.phase === "rolling";
    // The record was decided after the change, and without it.
    const isLate = away.i < recorded;
    return (
      ((isBack && (isMidway || isLate)) || (isUnknown && before?.digest === wanted)) &&
      !between.some(
        (entry, at) =>
          entry.type === "record" &&
          ran !== undefined &&
          recordedAt(facts, lack, away.i + at + 1) === ran &&
          // What a rollout is still to bring is not what was recorded of the pods.
          entry.record?.planned === undefined &&
          rollingAt(facts, lack, away.i + at + 1) !== wanted,
      )
    );
  });
}

/**
 * Whether what a CronJob ran with last came after the run was decided, and went between two looks
 * at a source: its record says before and after the run that it runs what is present.
 */
export function isContentBackForRun(facts: Facts, { what }: Violation): boolean {
  const { changes, history, rollouts, workload, writes } = facts;
  const run = writes.findLast(isPatch);
  if (workload?.kind !== "CronJob" || run === undefined || !what.startsWith("pods lack")) {
    return false;
  }
  const pod = { owner: workload.metadata.uid };
  const recorded = history.findLastIndex((entry, i) => i < run.i && entry.type === "record");
  // A process may stand still between its decision and the record of it.
  const begun = [...rollouts.values()].find(({ rollout }) => rollout.marker === run.marker);
  const later = history.findIndex(({ at }) => at > (begun?.rollout.decidedAt ?? Infinity));
  const decided = later === -1 ? recorded : Math.min(recorded, later - 1);
  return changes.some(({ i, source, digest }) => {
    const last = changes.findLast((change) => change.source === source);
    const running = recordedAt(facts, { pod, source }, history.length);
    return i > decided && digest !== last?.digest && running === last?.digest;
  });
}

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
