import { dig } from "@rollcast/kube/object";
import { isFinished, isPutOff } from "../cluster/controllers/job.ts";
import { isEndOfPod } from "../cluster/controllers/kubelet.ts";
import type { Act } from "../cluster/controllers/act.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import type { Trace } from "./trace.ts";

/** That a pod has ended is nothing to a ReplicaSet, which has not counted it since its deletion. */
function endOfPod(acts: readonly Act[], { kind, workload }: Trace): Act | undefined {
  const isRecreate = dig(workload.spec, "strategy", "type") === "Recreate";
  return kind === "Deployment" && !isRecreate ? acts.find(isEndOfPod) : undefined;
}

const finished = (store: ObjectStore) => store.list("Job").filter(isFinished).length;

/**
 * A CronJob looks at nothing of a Job but its end, and its Jobs share nothing, unless somebody
 * deletes pods or limits them.
 */
function stepOfJob(store: ObjectStore, acts: readonly Act[], trace: Trace): Act | undefined {
  const isShared = trace.effects.some(
    ({ effect: { do: name } }) => name === "quota" || name === "delete pod",
  );
  if (trace.kind !== "CronJob" || isShared) return undefined;
  return acts
    .filter((act) => /^(?:Job|Pod) /.test(act.name) && !isPutOff(act))
    .find(({ run }) => finished(store.branch(run)) === finished(store));
}

/** Of acts that lead to the same states in any order, one order is enough. */
export function enoughOf(store: ObjectStore, acts: readonly Act[], trace: Trace): readonly Act[] {
  const enough = endOfPod(acts, trace) ?? stepOfJob(store, acts, trace);
  return enough === undefined ? acts : [enough];
}
