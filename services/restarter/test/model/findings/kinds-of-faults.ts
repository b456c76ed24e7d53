import { isRestore } from "../oracle/facts.ts";
import type { Facts, WorkloadWrite } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { patchOf, wantedBy } from "../oracle/truth.ts";
import {
  bringsBack,
  editBefore,
  isEachLack,
  isUnrecorded,
  lastVersion,
  recordedAt,
  rollingAt,
} from "./lacks.ts";

/** The end of the sentence of admission that removes the marker. */
const REMOVES = "removes our annotation.";

/** The beginning of the sentence of every change of admission. */
const ADMISSION = "Admission does this";

/** Whether the violation's pods have a version of the template that such a write brought back. */
function isBroughtBack(
  facts: Facts,
  violation: Violation,
  by: (write: WorkloadWrite) => boolean,
): boolean {
  return isEachLack(facts, violation, (lack) => {
    const write = bringsBack(facts, lack);
    return write !== undefined && by(write);
  });
}

/** Whether pods are kept because somebody else took the marker off, or put an older one back. */
export function isMarkerTaken(facts: Facts, violation: Violation): boolean {
  const isTaken = ({ by, markerChanged }: WorkloadWrite) => by !== "rollcast" && markerChanged;
  // Those that wait for their owner keep any template.
  if (violation.what.startsWith("pods that wait for their owner")) {
    return isEachLack(facts, violation, (lack) => {
      const last = lastVersion(facts, lack);
      return last !== undefined && last.i > lack.changedAt && isTaken(last);
    });
  }
  return isBroughtBack(facts, violation, isTaken);
}

/** Whether the pods are kept because others brought back the template that they have. */
export function isEditUndone(facts: Facts, violation: Violation): boolean {
  return isBroughtBack(
    facts,
    violation,
    ({ by, markerChanged }) => by !== "rollcast" && !markerChanged,
  );
}

/** Whether the pods are kept because the restarter wrote the marker that they have again. */
export function isMarkerReused(facts: Facts, violation: Violation): boolean {
  return isBroughtBack(
    facts,
    violation,
    ({ by, marker }) => by === "rollcast" && marker !== undefined,
  );
}

/** Whether admission changed the template within the patch of the violation's rollout. */
export function mutatedByAdmission(facts: Facts, { i, what }: Violation): boolean {
  if (!what.includes("TemplateChanged")) return false;
  const id = facts.events.find((event) => event.i === i)?.event.data.rollout ?? "";
  const begun = facts.rollouts.get(id);
  return begun !== undefined && patchOf(facts, begun.rollout, i)?.templateChanged === true;
}

/**
 * Whether the violation is of a rollout that was applied and failed without an answer: of its end,
 * of its patch, or of the next patch with the same content.
 */
export function isAppliedAndFailed(facts: Facts, { i, property }: Violation): boolean {
  const ours = facts.writes.filter(
    ({ i: at, by, markerChanged }) => by === "rollcast" && markerChanged && at < i,
  );
  const patch = property === "rolled once" ? ours.at(-1)?.i : i;
  if (property !== "failed is true") {
    // A failure is published once for its content and reason, and recorded each time.
    const next = facts.history.find((entry, at) => at > (patch ?? i) && entry.type === "record");
    const record = next?.type === "record" ? next.record : undefined;
    return record?.phase === "failed" && record.failure?.reason === "Timeout";
  }
  const event = facts.events.find(({ i: at }) => at === i)?.event;
  const begun = facts.rollouts.get(event?.data.rollout ?? "");
  if (event?.data.reason !== "Timeout" || begun === undefined) return false;
  return patchOf(facts, begun.rollout, i) !== undefined;
}

/** Whether admission takes the marker off at a place in the history. */
function isMarkerRemoved({ history }: Facts, place: number): boolean {
  const last = history
    .slice(0, place)
    .findLast((entry) => entry.type === "act" && entry.text.startsWith(ADMISSION));
  return last?.type === "act" && last.text.endsWith(REMOVES);
}

/** Whether the rollout of the violation began by its event, and admission removed its marker. */
export function isMarkerNotKept(facts: Facts, violation: Violation): boolean {
  const unmarked = facts.events.filter(({ i, event }) => {
    const rollout = facts.rollouts.get(event.data.rollout ?? "")?.rollout;
    if (event.outcome !== "started" || rollout === undefined) return false;
    return isMarkerRemoved(facts, i) && patchOf(facts, rollout, i) === undefined;
  });
  if (violation.property === "agree") return unmarked.some(({ i }) => i === violation.i);
  if (violation.property === "failed is true") {
    const failed = facts.events.find(({ i }) => i === violation.i)?.event.data.rollout;
    return unmarked.some(({ event }) => event.data.rollout === failed);
  }
  return isEachLack(facts, violation, ({ source, wanted, changedAt }) =>
    unmarked.some(({ i, event }) => {
      const rollout = facts.rollouts.get(event.data.rollout ?? "")?.rollout;
      const digest = rollout === undefined ? undefined : wantedBy(rollout).get(source);
      return i > changedAt && digest === wanted;
    }),
  );
}

/**
 * Whether each pod was made between two changes of which the restarter recorded neither: the second
 * brought back what its record had.
 */
export function isContentBack(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, (lack) => {
    const { changedAt, pod, source, wanted } = lack;
    const ran = pod.content.get(source);
    const away = facts.changes.findLast(
      (change) => change.i < pod.from && change.source === source,
    );
    if (away === undefined || pod.from > changedAt) return false;
    const between = facts.history.slice(away.i, changedAt);
    return (
      [recordedAt, rollingAt].some((at) => at(facts, lack, changedAt) === wanted) &&
      !between.some(
        (entry, at) =>
          entry.type === "record" &&
          ran !== undefined &&
          recordedAt(facts, lack, away.i + at + 1) === ran,
      )
    );
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

/**
 * Whether each source changed after its pod was made, in the second of an edit or creation of the
 * workload that was not recorded yet.
 */
export function isChangedInSameSecond(facts: Facts, violation: Violation): boolean {
  const second = (at: number) => Math.floor(at / 1_000);
  return isEachLack(facts, violation, (lack) => {
    const { changedAt, pod } = lack;
    const edit = editBefore(facts, lack, changedAt);
    const change = facts.history[changedAt];
    if (edit === undefined || change === undefined || pod.from > changedAt) return false;
    return second(change.at) === second(edit.at) && isUnrecorded(facts, edit, changedAt);
  });
}

/** Whether the rollout before the violation's patch is not in the backup that was restored. */
export function isRolledBeforeRestore(facts: Facts, { i }: Violation): boolean {
  const previous = facts.writes.findLast(
    (write) => write.i < i && write.by === "rollcast" && write.markerChanged,
  );
  const begun = [...facts.rollouts.values()].find(
    ({ rollout }) => rollout.marker === previous?.marker,
  )?.rollout;
  const since = begun?.decidedAt ?? previous?.at ?? Number.POSITIVE_INFINITY;
  const wanted = JSON.stringify(begun?.wanted);
  return facts.history.some((entry, at) => {
    if (at >= i || entry.at < since || entry.type !== "restored record") return false;
    const { phase, rollout, running } = entry.record ?? {};
    const hasIt = phase !== "pending" && rollout?.id === begun?.id;
    return !hasIt && JSON.stringify(running) !== wanted;
  });
}

/**
 * Whether each pod, or the rollout that made it, is older than a restore, and the record restored
 * says what is wanted now.
 */
export function isRecordRestored(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, (lack) => {
    const { pod, wanted } = lack;
    const patched = facts.writes.findLast(
      ({ i, by, markerChanged }) => i < pod.from && by === "rollcast" && markerChanged,
    );
    const restored = facts.history.findIndex(
      (entry, i) => i > (patched?.i ?? pod.from) && isRestore(entry),
    );
    const isKnown = facts.history.some(
      ({ type }, i) =>
        type === "record" && i < pod.from && recordedAt(facts, lack, i + 1) === wanted,
    );
    return restored !== -1 && isKnown;
  });
}

const OPT_IN = "rollcast.dev/auto";

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
  const isOurs = ({ by, markerChanged }: WorkloadWrite) => by === "rollcast" && markerChanged;
  const before = writes.findLast((write) => write.i < place && isOurs(write));
  return events.some(({ i, event }) => {
    const { rollout, workload } = event.data;
    const begun = rollouts.get(rollout ?? "")?.rollout;
    if (event.outcome !== "started" || begun === undefined) return false;
    return writes.some(
      (write) =>
        (write.i === place || write === before || i === place) &&
        isOurs(write) &&
        write.at >= begun.decidedAt &&
        write.marker === begun.marker &&
        workload.uid !== write.object.metadata.uid,
    );
  });
}

/** Whether NATS was restored while a rollout was the last that its record had. */
export function isRestoredMidway({ events, history }: Facts, start: number): boolean {
  const id = events.find(({ i }) => i === start)?.event.data.rollout;
  return history.some((entry, i) => {
    if (!isRestore(entry)) return false;
    const last = history.findLast((other, at) => at < i && other.type === "record");
    return id !== undefined && last?.type === "record" && last.record?.rollout?.id === id;
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
