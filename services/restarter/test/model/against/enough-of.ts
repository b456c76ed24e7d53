import { dig } from "@rollcast/kube/object";
import { isFinished, isPutOff } from "../cluster/controllers/job.ts";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { isDead, isTainted } from "../cluster/controllers/node.ts";
import { controllerOf } from "../cluster/controllers/parts.ts";
import { isEndOfPod } from "../cluster/controllers/kubelet.ts";
import type { Act } from "../cluster/controllers/act.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import type { Trace } from "./trace.ts";

type Context = {
  readonly trace: Trace;
  /** The nodes that are still to die or to come back. */
  readonly changing: ReadonlySet<string>;
};

/**
 * That a pod has ended is nothing to a ReplicaSet, which has not counted it since its deletion; but
 * on a node that may die it would stay.
 */
function endOfPod(store: ObjectStore, acts: readonly Act[], context: Context): Act | undefined {
  const { kind, workload } = context.trace;
  const isRecreate = dig(workload.spec, "strategy", "type") === "Recreate";
  if (kind !== "Deployment" || isRecreate) return undefined;
  const staying = store
    .list("Pod")
    .filter(({ spec }) => !context.changing.has(String(spec?.nodeName)))
    .map(({ metadata }) => `Pod ${metadata.name}:`);
  return acts.find((act) => isEndOfPod(act) && staying.some((name) => act.name.startsWith(name)));
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

const PLACEMENT = /^Pod (\S+): (start on|bind to) (\S+)$/;

/**
 * Nodes that stay alive are alike, so the first of them is enough; and that a ReplicaSet's pod is
 * bound before it starts matters on no such node.
 */
export function isNeedlessPlacement(
  store: ObjectStore,
  changing: ReadonlySet<string>,
): (act: Act) => boolean {
  const staying = store
    .list("Node")
    .filter((node) => !isDead(node) && !isTainted(node) && !changing.has(node.metadata.name))
    .map(({ metadata }) => metadata.name);
  return ({ name }) => {
    const [, podName, what, node = ""] = PLACEMENT.exec(name) ?? [];
    const pod = store.list("Pod").find(({ metadata }) => metadata.name === podName);
    if (pod === undefined || !staying.includes(node)) return false;
    const isStuck = pod.metadata.annotations?.[NEVER_READY] !== undefined;
    const isBoundAlone = what === "bind to" && !isStuck && controllerOf(pod)?.kind === "ReplicaSet";
    return isBoundAlone || (pod.spec?.nodeName === undefined && node !== staying[0]);
  };
}

/** Of acts that lead to the same states in any order, one order is enough. */
export function enoughOf(
  store: ObjectStore,
  acts: readonly Act[],
  context: Context,
): readonly Act[] {
  const enough = endOfPod(store, acts, context) ?? stepOfJob(store, acts, context.trace);
  return enough === undefined ? acts : [enough];
}
