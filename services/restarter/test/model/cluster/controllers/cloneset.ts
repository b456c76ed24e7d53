import type { ObjectStore } from "../object-store.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import {
  REVISION_HASH,
  createPod,
  hashOf,
  isActive,
  isAvailable,
  isDeleting,
  isReady,
  ownedBy,
  podOf,
  refusalOf,
  removePod,
  specNumber,
  statusActs,
} from "./parts.ts";
import type { Act } from "./act.ts";

/** A workload with a pod template whose kind Rollcast knows by configuration alone. */
type Sync = {
  readonly store: ObjectStore;
  readonly set: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly hash: string;
};

function isCurrent({ hash }: Sync, { metadata }: KubeObject): boolean {
  return metadata.labels?.[REVISION_HASH] === hash;
}

function newPod({ set, hash }: Sync): Draft {
  const pod = podOf(set, set.spec?.template as Fields, { generateName: `${set.metadata.name}-` });
  const labels = { ...pod.metadata.labels, [REVISION_HASH]: hash };
  return { ...pod, metadata: { ...pod.metadata, labels } };
}

/** Keeps the number of pods, and replaces those of before one by one, while all are ready. */
function manage(sync: Sync): Act[] {
  const { store, set, pods } = sync;
  const name = `CloneSet ${set.metadata.name}`;
  const wanted = specNumber(set, "replicas", 1);
  const old = pods.filter((pod) => !isCurrent(sync, pod));
  const remove = (pod: KubeObject) => ({
    name: `${name}: delete pod ${pod.metadata.name}`,
    run: () => removePod(store, pod),
  });
  if (pods.length < wanted) {
    const pod = newPod(sync);
    if (refusalOf(store, pod) !== undefined) return [];
    return [{ name: `${name}: create a pod`, run: () => createPod(store, pod) }];
  }
  if (pods.length > wanted) return (old.length > 0 ? old : pods).map(remove);
  if (set.spec?.paused === true) return [];
  return old.filter((pod) => !isReady(pod) || pods.every(isReady)).map(remove);
}

function status(sync: Sync): Act[] {
  const { store, set, pods } = sync;
  const current = pods.filter((pod) => isCurrent(sync, pod));
  const seconds = specNumber(set, "minReadySeconds", 0);
  return statusActs(store, set, {
    observedGeneration: set.metadata.generation,
    replicas: pods.length,
    readyReplicas: pods.filter(isReady).length,
    availableReplicas: pods.filter((pod) => isAvailable(pod, seconds, store.now())).length,
    updatedReplicas: current.length,
    updatedReadyReplicas: current.filter(isReady).length,
  });
}

/** After a CloneSet of OpenKruise: it makes its pods itself, and its status has counts only. */
export function acts(store: ObjectStore): Act[] {
  return store.list("CloneSet").flatMap((set) => {
    const pods = ownedBy(store, "Pod", set).filter(isActive);
    const sync = { store, set, pods, hash: hashOf(set.spec?.template) };
    return [...(isDeleting(set) ? [] : manage(sync)), ...status(sync)];
  });
}
