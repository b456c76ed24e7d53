import { controllerActs } from "../cluster/controllers/controllers.ts";
import { isTainted } from "../cluster/controllers/node.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import type { KubeObject } from "../cluster/object.ts";

const by = { manager: "model" };

function subsets<T>([first, ...others]: readonly T[]): T[][] {
  if (first === undefined) return [[]];
  return subsets(others).flatMap((some) => [some, [first, ...some]]);
}

function withoutTaints(store: ObjectStore, nodes: readonly KubeObject[]): ObjectStore {
  return store.branch(() => {
    for (const node of nodes) store.update({ ...node, spec: { ...node.spec, taints: [] } }, by);
  });
}

/**
 * Whether the DaemonSet controller may rest because it has not seen that nodes are tainted: a taint
 * under which its pods stay does not wake it. It sees it with the next change of a pod, or of the
 * DaemonSet.
 */
export function isTaintUnseen(store: ObjectStore): boolean {
  const isDaemonSets = ({ name }: { readonly name: string }) => name.startsWith("DaemonSet ");
  return subsets(store.list("Node").filter(isTainted)).some(
    (nodes) => !controllerActs(withoutTaints(store, nodes)).some(isDaemonSets),
  );
}
