import type { ObjectStore } from "../object-store.ts";
import type { Fields, KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import {
  conditionsOf,
  createPod,
  isActive,
  isAvailable,
  isDeleting,
  isReady,
  omitEmpty,
  ownedBy,
  phaseOf,
  podOf,
  refusalOf,
  removePod,
  specNumber,
  statusActs,
  statusNumber,
} from "./parts.ts";
import { adoptActs } from "./adoption.ts";
import { lateOf, takeLate } from "./late-creation.ts";
import type { Act } from "./act.ts";

function newPod(replicaSet: KubeObject) {
  const template = replicaSet.spec?.template as Fields;
  return podOf(replicaSet, template, { generateName: `${replicaSet.metadata.name}-` });
}

/** Where a pod stands on its way to being ready: the least advanced ones are deleted first. */
function progressOf(pod: KubeObject): number {
  if (pod.spec?.nodeName === undefined) return 0;
  if (phaseOf(pod) === "Pending") return 1;
  return isReady(pod) ? 3 : 2;
}

/** Any of the least advanced: what else decides among them is their age, roughly, and their uid. */
function deletable(pods: readonly KubeObject[]): KubeObject[] {
  const least = Math.min(...pods.map(progressOf));
  return pods.filter((pod) => progressOf(pod) === least);
}

function failure(replicaSet: KubeObject, message: string | undefined, now: number): Fields[] {
  const others = conditionsOf(replicaSet).filter(({ type }) => type !== "ReplicaFailure");
  if (message === undefined) return others;
  const present = conditionsOf(replicaSet).find(({ type }) => type === "ReplicaFailure");
  const condition = present ?? {
    type: "ReplicaFailure",
    status: "True",
    reason: "FailedCreate",
    message,
    lastTransitionTime: timeText(now),
  };
  return [...others, condition];
}

/**
 * Whether pods are refused now; or may be, where there is a quota: what it counts may be behind.
 */
function refusals(
  store: ObjectStore,
  replicaSet: KubeObject,
  pods: number,
): (string | undefined)[] {
  const missing = pods < specNumber(replicaSet, "replicas", 1) && !isDeleting(replicaSet);
  if (!missing) return [undefined];
  const refused = refusalOf(store, newPod(replicaSet));
  if (refused !== undefined) return [refused.message];
  const hasQuota = store.list("ResourceQuota", replicaSet.metadata.namespace).length > 0;
  return hasQuota ? [undefined, "status unknown for quota"] : [undefined];
}

function status(store: ObjectStore, replicaSet: KubeObject, pods: readonly KubeObject[]): Act[] {
  const seconds = specNumber(replicaSet, "minReadySeconds", 0);
  const now = store.now();
  return refusals(store, replicaSet, pods.length).flatMap((message) => {
    const next = omitEmpty(
      {
        observedGeneration: replicaSet.metadata.generation,
        replicas: pods.length,
        fullyLabeledReplicas: pods.length,
        readyReplicas: pods.filter(isReady).length,
        availableReplicas: pods.filter((pod) => isAvailable(pod, seconds, now)).length,
        conditions: failure(replicaSet, message, now),
      },
      ["replicas"],
    );
    return statusActs(store, replicaSet, next);
  });
}

function scale(store: ObjectStore, replicaSet: KubeObject, pods: readonly KubeObject[]): Act[] {
  const { name } = replicaSet.metadata;
  const wanted = specNumber(replicaSet, "replicas", 1);
  if (pods.length < wanted) {
    const pod = newPod(replicaSet);
    if (refusalOf(store, pod) !== undefined) return [];
    return [{ name: `ReplicaSet ${name}: create a pod`, run: () => createPod(store, pod) }];
  }
  if (pods.length === wanted) return [];
  return deletable(pods).map((pod) => ({
    name: `ReplicaSet ${name}: delete pod ${pod.metadata.name}`,
    run: () => removePod(store, pod),
  }));
}

/** Pods for a size that the ReplicaSet had before: its controller saw it late. */
function late(store: ObjectStore, replicaSet: KubeObject): Act[] {
  if (lateOf(store, replicaSet) === 0) return [];
  const pod = newPod(replicaSet);
  const run = () => {
    takeLate(store, replicaSet);
    if (refusalOf(store, pod) === undefined) createPod(store, pod);
  };
  return [{ name: `ReplicaSet ${replicaSet.metadata.name}: create a pod late`, run }];
}

/**
 * The status of a sync between two writes of the spec, written after the second: the size wanted
 * then may have been small enough, and what was refused before is forgotten for a moment.
 */
function lateStatus(store: ObjectStore, replicaSet: KubeObject): Act[] {
  const { status, metadata } = replicaSet;
  const unseen = Number(metadata.generation) - statusNumber(replicaSet, "observedGeneration");
  if (status === undefined || unseen < 2) return [];
  const conditions = failure(replicaSet, undefined, store.now());
  return statusActs(store, replicaSet, omitEmpty({ ...status, conditions }, ["replicas"]));
}

function ofReplicaSet(store: ObjectStore, replicaSet: KubeObject): Act[] {
  const adoption = adoptActs(store, "Pod", replicaSet, isActive);
  if (adoption.length > 0) return adoption;
  const pods = ownedBy(store, "Pod", replicaSet).filter(isActive);
  const scaling = isDeleting(replicaSet) ? [] : scale(store, replicaSet, pods);
  return [
    ...late(store, replicaSet),
    ...scaling,
    ...status(store, replicaSet, pods),
    ...lateStatus(store, replicaSet),
  ];
}

export function acts(store: ObjectStore): Act[] {
  return store.list("ReplicaSet").flatMap((replicaSet) => ofReplicaSet(store, replicaSet));
}
