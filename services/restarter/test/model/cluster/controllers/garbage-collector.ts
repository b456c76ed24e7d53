import { FOREGROUND, ORPHAN } from "../deletion.ts";
import type { ObjectStore } from "../object-store.ts";
import { KINDS } from "../kinds.ts";
import { refOf } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { isDeleting } from "./parts.ts";
import type { Act } from "./act.ts";

const by = { manager: "kube-controller-manager" };

function act({ kind, metadata }: KubeObject, name: string, run: () => void): Act {
  return { name: `collector: ${name} ${kind} ${metadata.name}`, run };
}

function withoutFinalizer(store: ObjectStore, object: KubeObject, finalizer: string): void {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  store.update({ ...object, metadata: { ...object.metadata, finalizers } }, by);
}

function orphan(store: ObjectStore, object: KubeObject, uid: string): void {
  const references = object.metadata.ownerReferences ?? [];
  const ownerReferences = references.filter((owner) => owner.uid !== uid);
  store.update({ ...object, metadata: { ...object.metadata, ownerReferences } }, by);
}

function ofDeleted(store: ObjectStore, owner: KubeObject, dependents: KubeObject[]): Act[] {
  const finalizers = owner.metadata.finalizers ?? [];
  const release = (finalizer: string) =>
    act(owner, "release", () => withoutFinalizer(store, owner, finalizer));
  if (finalizers.includes(ORPHAN)) {
    if (dependents.length === 0) return [release(ORPHAN)];
    const { uid } = owner.metadata;
    return dependents.map((object) => act(object, "orphan", () => orphan(store, object, uid)));
  }
  if (!finalizers.includes(FOREGROUND)) return [];
  if (dependents.length === 0) return [release(FOREGROUND)];
  return dependents
    .filter((object) => !isDeleting(object))
    .map((object) => act(object, "delete", () => void store.remove(refOf(object))));
}

/** Deletes what has lost its owners, and lets go of what waits for its dependents. */
export function acts(store: ObjectStore): Act[] {
  const all = Object.keys(KINDS).flatMap((kind) => store.list(kind));
  const uids = new Set(all.map(({ metadata }) => metadata.uid));
  const lost = all.filter(({ metadata }) => {
    const owners = metadata.ownerReferences ?? [];
    return owners.length > 0 && owners.every(({ uid }) => !uids.has(uid));
  });
  const deletions = lost
    .filter((object) => !isDeleting(object))
    .map((object) =>
      act(object, "delete", () => {
        store.remove(refOf(object), { uid: object.metadata.uid, propagation: "Background" });
      }),
    );
  const waiting = all.filter(isDeleting).flatMap((owner) => {
    const { uid } = owner.metadata;
    const owned = ({ metadata }: KubeObject) =>
      metadata.ownerReferences?.some((reference) => reference.uid === uid) === true;
    return ofDeleted(store, owner, all.filter(owned));
  });
  return [...deletions, ...waiting];
}
