import type { RolloutStatus } from "@rollcast/kube/workloads/kind";
import { stalled } from "./outcomes.ts";
import { failed, jobGone, succeeded } from "./rollout-ends.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { RolloutJob } from "./decision-input.ts";
import type { Workload } from "../model/workload.ts";

const UNKNOWN: RolloutStatus = { state: "progressing" };

/** Nothing comes further while its controller is paused, so nothing is late: the time begins anew with the resume. */
function withoutDeadline(record: WorkloadRecord, rollout: Rollout): WorkloadRecord {
  if (rollout.deadline === undefined || rollout.stallTimeout === undefined) return record;
  const { deadline: _, ...rest } = rollout;
  return { ...record, rollout: rest };
}

/**
 * The record of a rollout that is followed, as far as the workload's status brings it: ended where its controller is done or gave up, told as stalled
 * at its deadline, else the same record. `job` is the Job of a CronJob's rollout. Pure; `now` in milliseconds since the epoch.
 */
export function advance(
  record: WorkloadRecord,
  workload: Workload,
  now: number,
  job?: RolloutJob,
): WorkloadRecord {
  const { rollout } = record;
  if (record.phase !== "rolling" || rollout?.generation === undefined) return record;
  // An index entry from before the patch tells nothing; another template is judged where edits are.
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

/** What the status says of the rollout before ours is not about ours, unless it is that nothing will begin. */
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
  const onSourceNamed = rollout.deadline !== undefined && now > rollout.deadline;
  return onSourceNamed && rollout.stalled !== true ? stalled(record, rollout, now) : record;
}
