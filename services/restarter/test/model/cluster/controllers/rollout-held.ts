import type { ObjectStore } from "../object-store.ts";
import { isEqual, refOf } from "../object.ts";
import type { Fields, KubeObject, Ref } from "../object.ts";
import { by } from "./rollout-context.ts";

/** What a merge patch makes of one status to get the other. */
export function statusPatch(from: Fields, to: Fields): Fields {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  const changed = names.filter((name) => !isEqual(from[name], to[name]));
  return Object.fromEntries(changed.map((name) => [name, to[name] ?? null]));
}

function markOf(rollout: KubeObject): Ref {
  return { ...refOf(rollout), kind: "HeldStatus", name: `rollout-${rollout.metadata.name}` };
}

/** Whether a status is computed that is not written yet. */
export function isHeld(store: ObjectStore, rollout: KubeObject): boolean {
  return store.get(markOf(rollout)) !== undefined;
}

/** Keeps what is to be patched, if anything: its controller does nothing else until it is. */
export function hold(store: ObjectStore, rollout: KubeObject, patch: Fields): void {
  if (Object.keys(patch).length === 0) return;
  const { kind, name, namespace = "" } = markOf(rollout);
  store.create({ apiVersion: "model/v1", kind, metadata: { name, namespace }, patch }, by);
}

/** Patches it, whatever somebody has written since. */
export function writeHeld(store: ObjectStore, rollout: KubeObject): void {
  const patch = store.get(markOf(rollout))?.patch as Fields | undefined;
  if (patch === undefined) return;
  store.remove(markOf(rollout));
  store.patch(refOf(rollout), { status: patch }, { ...by, type: "merge", subresource: "status" });
}
