import { stableId } from "@rollcast/shared/events";
import { jobName } from "@rollcast/kube/workloads/manifest";
import { contentsHash, markerHash, restartHash } from "../model/content.ts";
import { cancelled, started, superseded, withoutPlan } from "./outcomes.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { isAtRest, isUneditedSince } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { DecisionInput } from "./decision.ts";
import { throttleAfterStart } from "./blocking-gate.ts";
import { advance, decidedRollout, failureId, withRequestsDone } from "./rollout.ts";

const DIGEST_LENGTH = 10;

/**
 * The name of the Job that a rollout runs from a CronJob: it depends on the content and the
 * rollout, so that a retry finds the Job, and content that returns is rolled again.
 */
export function jobNameOf(workload: Pick<Workload, "name">, rollout: Rollout): string {
  const digest = stableId(contentsHash(rollout.wanted), jobIdOf(rollout));
  return jobName(workload.name, digest.slice(0, DIGEST_LENGTH));
}

/** The rollout that a Job of a CronJob says it was made for. */
export function jobIdOf({ id, madeAs = id }: Rollout): string {
  return madeAs;
}

/** A rollout without an answer that is kept in the record of a workload. */
const MAX_UNCONFIRMED = 4;

/** No request is on its way for longer; its own time limit is 15 s. */
const LATEST_MS = 120_000;

/** Whether the API server has done what the rollout asked of it, by the workload itself. */
function isApplied({ workload, jobs }: DecisionInput, rollout: Rollout): boolean {
  if (workload.rollBy === "job") return jobs?.has(rollout.id) === true;
  return workload.generation > rollout.guard && workload.marker === rollout.marker;
}

/** Rollouts of the record that may have been applied without being recorded as begun. */
export function unrecordedOf(record: WorkloadRecord): Rollout[] {
  if (record.phase === "rolling") return [];
  const decided = decidedRollout(record);
  return [...(decided === undefined ? [] : [decided]), ...(record.unconfirmed ?? [])];
}

/**
 * Until when a rollout of the record may be applied without being recorded as begun (milliseconds
 * since the epoch); undefined: no rollout may.
 */
export function mayApplyUntil(record: WorkloadRecord): number | undefined {
  const decidedAt = unrecordedOf(record).map((rollout) => rollout.decidedAt);
  return decidedAt.length === 0 ? undefined : Math.max(...decidedAt) + LATEST_MS;
}

/**
 * Adopts a rollout that was applied, and of which only the workload says so: its author had no
 * answer, or could not record it.
 */
export function adoptPatched(s: DecisionInput, record: WorkloadRecord): WorkloadRecord {
  const { workload } = s;
  if (workload.rollBy === "recreate") return record;
  const rollout = unrecordedOf(record).find((candidate) => isApplied(s, candidate));
  if (rollout === undefined) return record;
  // What admission changed in the request is part of it; what came after it is somebody's edit.
  const isOurs =
    workload.generation === rollout.guard + 1 || isUneditedSince(workload, rollout.decidedAt);
  const applied = {
    ...rollout,
    ...(isOurs ? { templateHash: workload.templateHash } : {}),
    ...(workload.rollBy === "job" ? { job: jobNameOf(workload, rollout) } : {}),
  };
  const next = patchedRecord(s, record, applied, workload.generation);
  return { ...next, outbox: [...next.outbox, started(next, next.rollout)] };
}

/** Whether what the rollout asked for may still be done, or has been without being seen. */
function mayStillApply({ workload, now }: DecisionInput, rollout: Rollout): boolean {
  if (workload.rollBy === "job") return now - rollout.decidedAt < LATEST_MS;
  return workload.rollBy !== "recreate" && rollout.guard >= workload.generation;
}

/**
 * The record of a workload that is gone: its rollout ends as the workload's last status says, else
 * it is cancelled. Pure; `now` in milliseconds since the epoch.
 */
export function advanceGone(
  record: WorkloadRecord,
  last: Workload | undefined,
  now: number,
): WorkloadRecord {
  const advanced = last === undefined ? record : advance(record, last, now);
  return cancelledWith(advanced, "Deleted", now);
}

/** The record with the end of the rollout of a workload that is gone, else of what was planned. */
export function cancelledWith(
  record: WorkloadRecord,
  reason: "Deleted" | "Recreated",
  now: number,
): WorkloadRecord {
  const { rollout, planned, ...rest } = record;
  if (rest.phase !== "rolling" || rollout === undefined) {
    return withoutPlan(record, "cancelled", reason, now);
  }
  const end = cancelled(record, rollout, reason, now);
  return { ...rest, planned, phase: "current", outbox: [...rest.outbox, end] };
}

/** The record with one more rollout whose result is unknown. */
export function withUnconfirmed(record: WorkloadRecord, rollout: Rollout): WorkloadRecord {
  const unconfirmed = [...(record.unconfirmed ?? []), rollout].slice(-MAX_UNCONFIRMED);
  return { ...record, unconfirmed };
}

/** The record without the data to recreate the workload: it still exists. */
export function withoutRecreate(record: WorkloadRecord): WorkloadRecord {
  const { recreate: _, ...rest } = record;
  return rest;
}

/**
 * Whether a Job that was to be deleted and made again may no longer vanish by our deletion: while
 * it may, its manifest stays in the record.
 */
export function isDeletionOver(record: WorkloadRecord, now: number): boolean {
  return record.recreate !== undefined && now > deletionOverAt(record);
}

/** When that is (milliseconds since the epoch). */
export function deletionOverAt({ recreate }: WorkloadRecord): number {
  return (recreate?.rollout.decidedAt ?? 0) + LATEST_MS;
}

/**
 * The record of a decision, with the rollout that it drops without knowing the result of its patch.
 */
export function keepUnconfirmed(s: DecisionInput, record: WorkloadRecord): WorkloadRecord {
  const before = s.record?.uid === s.workload.uid ? s.record : undefined;
  const dropped = before === undefined ? undefined : decidedRollout(before);
  const isDropped =
    dropped !== undefined &&
    (record.rollout?.id !== dropped.id || record.rollout.marker !== dropped.marker);
  const all = isDropped ? withUnconfirmed(record, dropped) : record;
  const isKept = all.phase !== "pending" && isDeletionOver(all, s.now);
  const { unconfirmed, ...rest } = isKept ? withoutRecreate(all) : all;
  const left = unconfirmed?.filter((rollout) => mayStillApply(s, rollout)) ?? [];
  return left.length === 0 ? rest : { ...rest, unconfirmed: left };
}

/**
 * The record, with whether its last rollout has left pods that it did not replace; of one that NATS
 * has lost only the marker says that it was made. At rest no pod of an earlier template is left.
 */
export function withPartial({ record: before, workload }: DecisionInput, record: WorkloadRecord) {
  const { partial: _, earlier, ...others } = record;
  const isOver = earlier === undefined || isAtRest(workload);
  const rest = isOver ? others : { ...others, earlier };
  const isMarkerNews = workload.ownsMarker === true && before?.marker !== record.marker;
  const wasUnderway = before?.phase === "rolling" || before?.partial === true || isMarkerNews;
  const isPartial =
    workload.rollBy === "patch" &&
    record.phase !== "rolling" &&
    wasUnderway &&
    // An edit of the template replaces every pod.
    (before === undefined ||
      (before.uid === record.uid && before.templateHash === record.templateHash)) &&
    !isAtRest(workload);
  return isPartial ? { ...rest, partial: true as const } : rest;
}

/**
 * The record after a rollout of which its author knows that it was applied: `began` is the record
 * that says so, of which `before` was decided, and `written` the one that somebody else wrote
 * meanwhile. Undefined if that has it already.
 */
export function withApplied(
  s: Pick<DecisionInput, "workload" | "now" | "breaker" | "stalledAfterMs">,
  { before, began }: { before: WorkloadRecord; began: WorkloadRecord & { rollout: Rollout } },
  written: WorkloadRecord | undefined,
): WorkloadRecord | undefined {
  const { rollout } = began;
  const { generation = 0 } = rollout;
  if (written === undefined) return began;
  // A Job that was made again has another uid than the record that it was decided on.
  const isBefore = written.uid === before.uid;
  const present = isBefore ? { ...written, uid: began.uid } : written;
  if (present.uid !== began.uid) {
    const end = cancelled(began, rollout, "Recreated", s.now);
    return { ...present, outbox: [...present.outbox, end] };
  }
  if (present.last?.rollout === rollout.id || present.ended?.includes(rollout.id) === true) {
    return undefined;
  }
  if (present.phase === "rolling" && present.rollout !== undefined) {
    if (present.rollout.id === rollout.id) return undefined;
    if ((present.rollout.generation ?? 0) > generation) {
      // That was applied to what this one had made.
      const { outbox, ended } = present;
      const over = superseded({ ...began, outbox, ended }, rollout, "NewerContent", s.now);
      return { ...present, outbox: over.outbox, ended: over.ended };
    }
    const { outbox, ended } = superseded(present, present.rollout, "NewerContent", s.now);
    return patchedRecord(s, { ...present, outbox, ended }, rollout, generation);
  }
  const next = patchedRecord(s, present, rollout, Math.max(generation, present.generation));
  // It may be of later content; a plan of this content ends with this rollout.
  return written.planned === undefined ? next : { ...next, planned: written.planned };
}

/**
 * The rollout that recreates a Job; after a refused attempt that was reported as failed, it has its
 * own id.
 */
export function recreation(
  record: WorkloadRecord & { recreate: NonNullable<WorkloadRecord["recreate"]> },
): Rollout {
  const { rollout } = record.recreate;
  const attempts = record.failure?.attempts;
  return attempts === undefined
    ? rollout
    : { ...rollout, id: stableId(rollout.id, String(attempts)) };
}

/**
 * The record of a Job that we deleted, continued for the Job that replaces it: our rollout's id
 * identifies it, under another uid.
 */
export function recreatedBefore(s: DecisionInput): WorkloadRecord | undefined {
  const { record, workload } = s;
  const { recreate } = record ?? {};
  if (record === undefined || recreate === undefined) return undefined;
  if (workload.madeBy !== recreate.rollout.id) return undefined;
  const next = recreatedRecord(s, { ...record, recreate });
  return { ...next, outbox: [...next.outbox, started(next, next.rollout)] };
}

/** The record after a Job was recreated: `s.workload` is the new one. */
export function recreatedRecord(
  s: Pick<DecisionInput, "workload" | "now" | "breaker" | "stalledAfterMs">,
  record: WorkloadRecord & { recreate: NonNullable<WorkloadRecord["recreate"]> },
): WorkloadRecord & { readonly rollout: Rollout } {
  const { uid, templateHash, generation } = s.workload;
  const rollout = { ...recreation(record), templateHash };
  return patchedRecord(s, { ...record, uid }, rollout, generation);
}

/**
 * So long a controller may take to say that its deadline is missed, which fails the rollout. Less
 * than the time that quota is kept after it (decision 28).
 */
const VERDICT_MS = 5_000;

/** The record after the rollout's patch gave the workload `generation`. */
export function patchedRecord(
  s: Pick<DecisionInput, "workload" | "now" | "breaker" | "stalledAfterMs">,
  record: WorkloadRecord,
  rollout: Rollout,
  generation: number,
): WorkloadRecord & { readonly rollout: Rollout } {
  const {
    due,
    failure: _failure,
    throttle: _throttle,
    staleSince: _staleSince,
    hold: _hold,
    recreate: _recreate,
    partial: _partial,
    planned: _planned,
    // Those were decided on an earlier generation.
    unconfirmed: _unconfirmed,
    ...rest
  } = record;
  const { deadlineMs, status } = s.workload;
  // It may have failed between the decision and the patch.
  const failedBefore = status.state === "unobserved" ? failureId(status) : undefined;
  const stallTimeout = deadlineMs === undefined ? s.stalledAfterMs : deadlineMs + VERDICT_MS;
  return {
    ...rest,
    ...throttleAfterStart(record, s.breaker, s.now),
    ...withRequestsDone(record),
    // What was put off since it was decided waits on, and was told.
    due: record.phase === "deferred" ? due : undefined,
    phase: "rolling",
    running: rollout.wanted,
    generation,
    templateHash: rollout.templateHash,
    marker: markerHash({ ...s.workload, marker: rollout.marker }),
    restarted: restartHash(s.workload),
    marks: s.workload.marks.reloader,
    rollout: {
      ...rollout,
      failedBefore: failedBefore ?? rollout.failedBefore,
      generation,
      startedAt: s.now,
      stallTimeout,
      ...(s.workload.paused ? {} : { deadline: s.now + stallTimeout }),
    },
  };
}
