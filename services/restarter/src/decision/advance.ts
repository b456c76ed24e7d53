import type { RolloutStatus } from "@rollcast/kube/workloads/kind";
import { cancelled, failed, jobGone, stalled, succeeded } from "./outcomes.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { RolloutJob } from "./decision.ts";
import type { Workload } from "../model/workload.ts";

const UNKNOWN: RolloutStatus = { state: "progressing" };

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
  // An index entry from before the patch is too old; an edited template is handled in edits.ts.
  if (workload.uid !== record.uid || workload.generation < rollout.generation) return record;
  if (rollout.job !== undefined) {
    if (job === "gone") return jobGone(record, rollout, now);
    return withStatus(record, rollout, job?.status ?? UNKNOWN, now);
  }
  if (workload.templateHash !== rollout.templateHash) return record;
  const status = statusOf(rollout, workload);
  if (status.state === "complete") return succeeded(record, rollout, status, now);
  if (workload.paused) return withoutDeadline(record, rollout);
  if (rollout.deadline === undefined && rollout.stallTimeout !== undefined) {
    return { ...record, rollout: { ...rollout, deadline: now + rollout.stallTimeout } };
  }
  return withStatus(record, rollout, status, now);
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
  return revision > rollout.revision || left ? status : UNKNOWN;
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
