import { digNumber } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { KubeObject, Ref } from "../object.ts";
import { isActive, ownedBy, specNumber } from "./parts.ts";

function markOf(replicaSet: KubeObject): Ref {
  return { ...refOf(replicaSet), kind: "HeldStatus", name: `creates-${replicaSet.metadata.name}` };
}

function missing(store: ObjectStore, replicaSet: KubeObject): number {
  const pods = ownedBy(store, "Pod", replicaSet).filter(isActive).length;
  return specNumber(replicaSet, "replicas", 1) - pods;
}

/**
 * Whether the controller of a ReplicaSet may be about to create pods for the size that it has now.
 */
export function isBehind(store: ObjectStore, replicaSet: KubeObject): boolean {
  return missing(store, replicaSet) > 0 && store.get(markOf(replicaSet)) === undefined;
}

/** Leaves a mark that these pods are still to come, whatever the size is then. */
export function createLate(store: ObjectStore, replicaSet: KubeObject): void {
  const { kind, name, namespace = "" } = markOf(replicaSet);
  const left = missing(store, replicaSet);
  const metadata = { name, namespace };
  store.create({ apiVersion: "model/v1", kind, metadata, left }, { manager: "model" });
}

/** How many pods are still to come. */
export function lateOf(store: ObjectStore, replicaSet: KubeObject): number {
  return digNumber(store.get(markOf(replicaSet)), 0, "left");
}

/** One of them has come. */
export function takeLate(store: ObjectStore, replicaSet: KubeObject): void {
  const ref = markOf(replicaSet);
  const mark = store.get(ref);
  const left = digNumber(mark, 0, "left") - 1;
  if (mark === undefined || left === 0) store.remove(ref);
  else store.update({ ...mark, left }, { manager: "model" });
}
