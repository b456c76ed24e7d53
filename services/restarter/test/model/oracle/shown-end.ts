import type { Rollout } from "../../../src/model/workload-record.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { isComplete } from "./complete.ts";
import type { Facts, WorkloadWrite } from "./facts.ts";

type Condition = { readonly type?: string; readonly status?: string; readonly reason?: string };

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

/**
 * Whether the cluster has shown before a place in the history that a rollout had failed. A rollout
 * that is decided again after a restore may find its marker, and that it has failed with it.
 */
export function wasFailed(
  { jobs, writes }: Facts,
  { uid, rollout }: { readonly uid: string; readonly rollout: Rollout },
  place: number,
): boolean {
  const all = writes.filter(({ object }) => object.metadata.uid === uid);
  const earlier = all.findLast(({ at }) => at < rollout.decidedAt);
  const isOfIt = (write: WorkloadWrite) =>
    write.at >= rollout.decidedAt || (write === earlier && write.marker === rollout.marker);
  const own = all.filter(isOfIt).map(({ i, object }) => ({ i, object }));
  const run = jobs
    .filter(({ job }) => job.metadata.name === rollout.job)
    .map(({ i, job }) => ({ i, object: job }));
  return [...own, ...run].some(({ i, object }) => i < place && endOf(object) === "failed");
}
