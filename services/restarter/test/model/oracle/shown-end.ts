import { parseTime } from "@rollcast/kube/object";
import type { Rollout } from "../../../src/model/workload-record.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { isComplete } from "./complete.ts";
import type { Facts, WorkloadWrite } from "./facts.ts";

type Condition = {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly lastUpdateTime?: string;
};

function conditionOf({ status }: KubeObject, type: string): Condition | undefined {
  const conditions = (status?.conditions ?? []) as readonly Condition[];
  return conditions.find((condition) => condition.type === type);
}

function endOf(object: KubeObject): "complete" | "failed" | undefined {
  const { kind, status } = object;
  if (kind === "Job") {
    if (conditionOf(object, "Failed")?.status === "True") return "failed";
    return conditionOf(object, "Complete")?.status === "True" ? "complete" : undefined;
  }
  const isOverDeadline = conditionOf(object, "Progressing")?.reason === "ProgressDeadlineExceeded";
  if (kind === "Deployment" && isOverDeadline) return "failed";
  if (kind === "Rollout" && status?.phase === "Degraded") return "failed";
  return isComplete(object) ? "complete" : undefined;
}

/** How the cluster shows at the end of a history that a rollout has ended. */
export function shownEnd(facts: Facts, { job: name }: Rollout, workload: KubeObject) {
  const run = facts.jobs.findLast(({ job }) => job.metadata.name === name);
  if (workload.kind === "CronJob") return run === undefined ? undefined : endOf(run.job);
  return endOf(workload);
}

const SECOND_MS = 1_000;
/** Its controller gives a rollout up after so long without progress. */
const DEADLINE_MS = 600_000;

/** Whether a workload's controller gave a rollout up before that time, by its condition. */
function isGivenUpBefore(object: KubeObject, time: number): boolean {
  const written = conditionOf(object, "Progressing")?.lastUpdateTime;
  return (parseTime(written) ?? time) < Math.floor(time / SECOND_MS) * SECOND_MS;
}

/**
 * Whether the cluster has shown before a place in the history that a rollout had failed. A rollout
 * that is decided again after a restore may find its marker, and that it has failed with it. What
 * was written of another before it counts only once it is late itself.
 */
export function wasFailed(
  { history, jobs, writes }: Facts,
  { uid, rollout }: { readonly uid: string; readonly rollout: Rollout },
  place: number,
): boolean {
  const all = writes.filter(({ object }) => object.metadata.uid === uid);
  const earlier = all.findLast(({ at }) => at < rollout.decidedAt);
  const isOfIt = (write: WorkloadWrite) =>
    write.at >= rollout.decidedAt || (write === earlier && write.marker === rollout.marker);
  const isLate = (history[place]?.at ?? 0) >= rollout.decidedAt + DEADLINE_MS;
  const own = all
    .filter(isOfIt)
    .filter(
      (write) => write === earlier || isLate || !isGivenUpBefore(write.object, rollout.decidedAt),
    )
    .map(({ i, object }) => ({ i, object }));
  const run = jobs
    .filter(({ job }) => job.metadata.name === rollout.job)
    .map(({ i, job }) => ({ i, object: job }));
  return [...own, ...run].some(({ i, object }) => i < place && endOf(object) === "failed");
}
