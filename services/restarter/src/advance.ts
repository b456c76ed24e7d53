import { failed, stalled, succeeded } from "./outcomes.ts";
import type { WorkloadRecord } from "./record.ts";
import type { Workload } from "./workload.ts";

/**
 * The record of a rollout that is followed, as far as the workload's status brings it: ended where its controller is done or gave up, told as stalled
 * at its deadline, else the same record. Pure; `now` in milliseconds since the epoch.
 */
export function advance(record: WorkloadRecord, workload: Workload, now: number): WorkloadRecord {
  const { rollout } = record;
  if (record.phase !== "rolling" || rollout?.generation === undefined) return record;
  // An index entry from before the patch tells nothing; another template is judged where edits are.
  if (workload.uid !== record.uid || workload.generation < rollout.generation) return record;
  if (workload.templateHash !== rollout.templateHash) return record;
  const { status } = workload;
  if (status.state === "complete") return succeeded(record, rollout, now);
  if (workload.paused) return record;
  if (status.state === "failed") return failed(record, rollout, status, now);
  const late = rollout.deadline !== undefined && now > rollout.deadline;
  return late && rollout.stalled !== true ? stalled(record, rollout, now) : record;
}
