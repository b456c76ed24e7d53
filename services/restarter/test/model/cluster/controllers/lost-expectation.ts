import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { KubeObject, Ref } from "../object.ts";
import type { Act } from "./act.ts";

function markOf(object: KubeObject): Ref {
  const name = `expects-${object.kind.toLowerCase()}-${object.metadata.name}`;
  return { ...refOf(object), kind: "HeldStatus", name };
}

/** Whether its controller still waits for pods of an object of this name that was deleted. */
export function isWaiting(store: ObjectStore, object: KubeObject): boolean {
  return store.get(markOf(object)) !== undefined;
}

/**
 * The controllers of Jobs and DaemonSets remember by name which pods they have yet to see. Where an
 * object is made again before they saw the pods of the one before, they wait for them in vain, and
 * create none for five minutes; unless they saw that the object was gone.
 */
export function expectActs(store: ObjectStore, object: KubeObject): Act[] {
  if (object.kind !== "Job" && object.kind !== "DaemonSet") return [];
  const ref = markOf(object);
  const { kind, name, namespace = "" } = ref;
  const mark = { apiVersion: "model/v1", kind, metadata: { name, namespace } };
  const of = `${object.kind} ${object.metadata.name}`;
  if (isWaiting(store, object)) {
    return [{ name: `${of}: forget the pods of before`, run: () => void store.remove(ref) }];
  }
  const run = () => void store.create(mark, { manager: "kube-controller-manager" });
  return [{ name: `${of}: wait for pods of before`, run }];
}
