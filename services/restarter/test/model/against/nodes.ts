import { DEAD } from "@rollcast/testkit/kwok";
import { addNode, nodeOf } from "@rollcast/testkit/node";
import { paths } from "@rollcast/testkit/objects";
import type { Api } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { isDead, isNotReady, isTainted } from "../cluster/controllers/node.ts";
import { controllerOf, isDeleting, isReady, phaseOf } from "../cluster/controllers/parts.ts";
import type { KubeObject } from "../cluster/object.ts";
import { ZONE, isEvictedSoon } from "./schedule.ts";
import type { NodeName } from "./schedule.ts";

const NODES = "/api/v1/nodes";

/** Nodes that only the pods of one namespace are on. */
export type Nodes = AsyncDisposable & {
  list(): Promise<readonly KubeObject[]>;
  set(name: NodeName, isDead: boolean): Promise<void>;
};

type List = { readonly items: readonly KubeObject[] };

/**
 * Makes these nodes, in a zone of their own: how others fare does not matter then. They go with
 * their namespace.
 */
export async function makeNodes(
  api: Api,
  namespace: string,
  names: readonly NodeName[],
): Promise<Nodes> {
  const nameOf = (name: NodeName) => `${namespace}-${name}`;
  for (const name of names) await addNode(api, nodeOf(nameOf(name), { [ZONE]: namespace }));
  const set = async (name: NodeName, isDead: boolean) => {
    const labels = { [DEAD]: isDead ? "true" : null };
    await api.patch(`${NODES}/${nameOf(name)}`, { metadata: { labels } });
  };
  return {
    set,
    async list() {
      if (names.length === 0) return [];
      const { items } = await api.get<List>(`${NODES}?labelSelector=${ZONE}=${namespace}`);
      return items;
    },
    async [Symbol.asyncDispose]() {
      if (names.length === 0) return;
      // The pods of the namespace end only where their node answers.
      for (const name of names) await set(name, false);
      await api.remove(`/api/v1/namespaces/${namespace}`);
      const areGone = async () => (await api.get<List>(paths.pod(namespace))).items.length === 0;
      await waitFor(areGone, { timeout: 60_000, every: 500, message: `no pods in ${namespace}` });
      for (const name of names) await api.remove(`${NODES}/${nameOf(name)}`);
    },
  };
}

/** Whether its controller has done all that follows from how the node is. */
function isNoticed(node: KubeObject): boolean {
  const taints = node.spec?.taints;
  const isAllTainted = Array.isArray(taints) && taints.length === 2;
  return isDead(node) ? isNotReady(node) && isAllTainted : !isNotReady(node) && !isTainted(node);
}

function isAtRestOn(node: KubeObject | undefined, pod: KubeObject): boolean {
  if (node === undefined) return true;
  if (!isDead(node)) return !isDeleting(pod) && (phaseOf(pod) !== "Running" || isReady(pod));
  const stays = controllerOf(pod)?.kind === "DaemonSet" || !isEvictedSoon(pod.spec);
  return !isReady(pod) && (isDeleting(pod) || stays);
}

/** Whether nothing is to come any more of what became of the nodes. */
export function areAtRest(nodes: readonly KubeObject[], pods: readonly KubeObject[]): boolean {
  const isAllAlive = nodes.every((node) => !isDead(node));
  const nodeOfPod = ({ spec }: KubeObject) =>
    nodes.find(({ metadata }) => metadata.name === spec?.nodeName);
  return (
    nodes.every(isNoticed) &&
    pods.every((pod) => isAtRestOn(nodeOfPod(pod), pod)) &&
    (!isAllAlive || pods.every(({ spec }) => spec?.nodeName !== undefined))
  );
}
