import { ApiError } from "./test-api.ts";
import type { Api } from "./test-api.ts";
import { waitFor } from "./wait.ts";

/** The node on which kwok plays every pod. */
export const NODE = {
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name: "node-1",
    annotations: { "kwok.x-k8s.io/node": "fake" },
    labels: { "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux" },
  },
  status: {
    allocatable: { cpu: "100k", memory: "100Ti", pods: "100k" },
    capacity: { cpu: "100k", memory: "100Ti", pods: "100k" },
  },
};

export async function addNode(api: Api): Promise<void> {
  await api.create("/api/v1/nodes", NODE).catch((err: unknown) => {
    if (!(err instanceof ApiError) || err.status !== 409) throw err;
  });
  // Without the node lifecycle controller nobody takes the taint off that admission puts on every
  // new node.
  await waitFor(
    async () => {
      const node = await api.get<{ spec: { taints?: unknown[] } }>("/api/v1/nodes/node-1");
      if (node.spec.taints === undefined) return true;
      await api.patch("/api/v1/nodes/node-1", { spec: { taints: null } });
      return false;
    },
    { message: "the node to be without taints" },
  );
}
