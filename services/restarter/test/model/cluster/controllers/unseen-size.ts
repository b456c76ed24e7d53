import type { ObjectStore } from "../object-store.ts";
import type { KubeObject } from "../object.ts";
import { isActive, ownedBy, specNumber, statusNumber } from "./parts.ts";

/**
 * The size that a ReplicaSet had before its last one, none before it was made; a note of the model,
 * not of Kubernetes.
 */
export const SIZE_BEFORE = "sizeBefore";

/**
 * The size that the Deployment controller may still see, where it has just given a larger one. Both
 * controllers read one cache: once a ReplicaSet's own has acted on a size, everybody sees it. Of
 * one that got smaller it would see the room of before, which the syncs before have acted on.
 */
export function unseenSize(store: ObjectStore, replicaSet: KubeObject): number | undefined {
  const before = replicaSet[SIZE_BEFORE];
  const size = specNumber(replicaSet, "replicas", 1);
  if (typeof before !== "number" || before >= size) return undefined;
  const isAnswered =
    statusNumber(replicaSet, "observedGeneration") === replicaSet.metadata.generation ||
    ownedBy(store, "Pod", replicaSet).filter(isActive).length > before;
  return isAnswered ? undefined : before;
}

/** The ReplicaSet as it may still be seen. */
export function unseen(store: ObjectStore, replicaSet: KubeObject): KubeObject {
  const replicas = unseenSize(store, replicaSet);
  if (replicas === undefined) return replicaSet;
  return { ...replicaSet, spec: { ...replicaSet.spec, replicas } };
}
