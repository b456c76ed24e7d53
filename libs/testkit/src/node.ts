import { ApiError } from "./test-api.ts";
import type { Api } from "./test-api.ts";
import { waitFor } from "./wait.ts";

/** A node that kwok plays. */
export function nodeOf(name: string, labels: Readonly<Record<string, string>> = {}) {
  const resources = { cpu: "100k", memory: "100Ti", pods: "100k" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      annotations: { "kwok.x-k8s.io/node": "fake" },
      labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", ...labels },
    },
    status: { allocatable: resources, capacity: resources },
  };
}

/** The node on which kwok plays every pod. */
export const NODE = nodeOf("node-1");

/** Makes a node that takes pods; one of this name may be there. */
export async function addNode(api: Api, node = NODE): Promise<void> {
  const path = `/api/v1/nodes/${node.metadata.name}`;
  await api.create("/api/v1/nodes", node).catch((err: unknown) => {
    if (!(err instanceof ApiError) || err.status !== 409) throw err;
  });
  // Without the node lifecycle controller nobody takes the taint off that admission puts on every
  // new node.
  await waitFor(
    async () => {
      const node = await api.get<{ spec: { taints?: unknown[] } }>(path);
      if (node.spec.taints === undefined) return true;
      await api.patch(path, { spec: { taints: null } });
      return false;
    },
    { message: "the node to be without taints" },
  );
}
