import { dig } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import type { KubeObject } from "../object.ts";
import type { Act } from "./act.ts";
import { controllerOf, isDeleting, ownerReference } from "./parts.ts";

const by = { manager: "kube-controller-manager" };

function isSelected(owner: KubeObject, { metadata }: KubeObject): boolean {
  const wanted = Object.entries(dig(owner.spec, "selector", "matchLabels") ?? {});
  return wanted.length > 0 && wanted.every(([name, value]) => metadata.labels?.[name] === value);
}

/**
 * What nobody controls, and a selector matches, is taken over before anything else is done: what
 * was left by one that was deleted without it.
 */
export function adoptActs(
  store: ObjectStore,
  kind: string,
  owner: KubeObject,
  isMember: (object: KubeObject) => boolean = () => true,
): Act[] {
  if (isDeleting(owner)) return [];
  const left = store
    .list(kind, owner.metadata.namespace)
    .filter((object) => controllerOf(object) === undefined && !isDeleting(object))
    .filter((object) => isSelected(owner, object) && isMember(object));
  return left.map((object) => ({
    name: `${owner.kind} ${owner.metadata.name}: adopt ${object.metadata.name}`,
    run: () => {
      const { ownerReferences = [] } = object.metadata;
      const metadata = {
        ...object.metadata,
        ownerReferences: [...ownerReferences, ownerReference(owner)],
      };
      store.update({ ...object, metadata }, by);
    },
  }));
}
