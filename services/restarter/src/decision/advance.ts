import type { RolloutStatus } from "@rollcast/kube/workloads/kind";
import { cancelled, failed, jobGone, stalled, succeeded, superseded } from "./outcomes.ts";
import { ABSENT, UNKNOWN, contentsHash, markerHash } from "../model/content.ts";
import { keysApart } from "../model/marker-keys.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { RolloutJob } from "./decision.ts";
import type { Workload } from "../model/workload.ts";

const PROGRESSING: RolloutStatus = { state: "progressing" };

/** A paused rollout makes no progress, so it cannot stall: its deadline starts anew on resume. */
function withoutDeadline(record: WorkloadRecord, rollout: Rollout): WorkloadRecord {
  if (rollout.deadline === undefined || rollout.stallTimeout === undefined) return record;
  const { deadline: _, ...rest } = rollout;
  return { ...record, rollout: rest };
}

/**
 * Advances the record of a rollout by the workload's status: ended if its controller finished or
 * failed, stalled at its deadline, else unchanged. `job` is the Job of a CronJob's rollout. Pure;
 * `now` in milliseconds since the epoch.
 */
export function advance(
  record: WorkloadRecord,
  workload: Workload,
  now: number,
  job?: RolloutJob,
): WorkloadRecord {
  const { rollout } = record;
  if (record.phase !== "rolling" || rollout?.generation === undefined) return record;
  // An index entry from before the patch is too old.
  if (workload.uid !== record.uid || workload.generation < rollout.generation) return record;
  if (rollout.job !== undefined) {
    if (job === "gone") return jobGone(record, rollout, now);
    return withStatus(record, rollout, job?.status ?? PROGRESSING, now);
  }
  const isEdited = workload.templateHash !== rollout.templateHash;
  if (isEdited && restartsAll(rollout, workload)) return record;
  // A Job that was made again is identified by another annotation.
  const isMarked = workload.rollBy === "recreate" || workload.marker === rollout.marker;
  if (!isMarked) return withoutMarker(record, rollout, workload, now);
  if (isEdited) return record;
  const status = statusOf(rollout, workload);
  if (status.state === "complete") return succeeded(record, rollout, status, now);
  if (workload.paused) return withoutDeadline(record, rollout);
  if (rollout.deadline === undefined && rollout.stallTimeout !== undefined) {
    return { ...record, rollout: { ...rollout, deadline: now + rollout.stallTimeout } };
  }
  return withStatus(record, rollout, status, now);
}

/**
 * Whether no pod can have the template that somebody edited in the middle of a rollout. One of
 * before may be brought back, and its pods be kept; a restart by its time is undone with that.
 */
function restartsAll({ replaced }: Rollout, { rollBy, templateHash }: Workload): boolean {
  if (rollBy === "restart") return false;
  return rollBy !== "patch" || (replaced !== undefined && replaced !== templateHash);
}

/**
 * The record of a rollout whose marker is no longer on the template: pods that were not replaced
 * yet are kept, so nobody knows what they run. If Rollcast itself wrote the other marker, it was a
 * later rollout that the record does not have, or one of another installation.
 */
function withoutMarker(
  record: WorkloadRecord,
  rollout: Rollout,
  workload: Workload,
  now: number,
): WorkloadRecord {
  const { editor, marker, marks, ownsMarker, templateHash } = workload;
  if (ownsMarker === true) {
    const keys = keysApart(rollout.marker, marker);
    if (keys === undefined) return superseded(record, rollout, "NewerContent", now);
    // It restarts every pod once more, so all of them start after our patch.
    const both = `another installation of Rollcast, with the key ${keys.other}, rolled the workload in the middle of the rollout; the key of this one is ${keys.mine}`;
    return superseded(record, rollout, "OtherInstallation", now, both);
  }
  const isLate = editor !== undefined && editor.time + SECOND_MS > (rollout.startedAt ?? 0);
  const by = isLate ? `, last written by field manager ${editor.manager}` : "";
  const how = marker === undefined ? "taken off" : "replaced on";
  const message = `Rollcast's annotation was ${how} the pod template in the middle of the rollout${by}`;
  const wanted = contentsHash(rollout.wanted);
  const before = record.stripped?.wanted === wanted ? record.stripped.count : 0;
  const running = Object.entries(rollout.wanted).map(([key, content]) => [
    key,
    content.digest === ABSENT ? content : { ...content, digest: UNKNOWN },
  ]);
  return {
    ...superseded(record, rollout, "MarkerRemoved", now, message),
    running: Object.fromEntries(running),
    // What was edited with it restarts not all pods either.
    templateHash,
    marks: marks.reloader,
    marker: markerHash(workload),
    stripped: { wanted, count: before + 1, message },
  };
}

const SECOND_MS = 1_000;

/**
 * The record of a workload that is gone: its rollout ends as the workload's last status says, else
 * it is cancelled. Pure; `now` in milliseconds since the epoch.
 */
export function advanceGone(
  record: WorkloadRecord,
  last: Workload | undefined,
  now: number,
): WorkloadRecord {
  const { rollout, ...rest } = record;
  if (record.phase !== "rolling" || rollout === undefined) return record;
  const advanced = last === undefined ? record : advance(record, last, now);
  if (advanced.phase !== "rolling") return advanced;
  const end = cancelled(record, rollout, "Deleted", now);
  return { ...rest, phase: "current", outbox: [...rest.outbox, end] };
}

/**
 * Before the controller has begun our rollout, its status is about the previous one, unless it says
 * that none will begin.
 */
function statusOf(rollout: Rollout, { status, revision }: Workload): RolloutStatus {
  if (rollout.revision === undefined || revision === undefined) return status;
  const left = status.state === "complete" && status.reason !== undefined;
  return revision > rollout.revision || left ? status : PROGRESSING;
}

function withStatus(
  record: WorkloadRecord,
  rollout: Rollout,
  status: RolloutStatus,
  now: number,
): WorkloadRecord {
  if (status.state === "complete") return succeeded(record, rollout, status, now);
  if (status.state === "failed") return failed(record, rollout, status, now);
  const late = rollout.deadline !== undefined && now > rollout.deadline;
  return late && rollout.stalled !== true ? stalled(record, rollout, now) : record;
}
