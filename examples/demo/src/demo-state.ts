import type { KubeClient } from "@rollcast/kube/client";
import { DEMO, DEPLOYMENTS, REPLICAS } from "./demo-objects.ts";

type DeploymentState = {
  readonly metadata: { readonly generation: number; readonly creationTimestamp: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly replicas?: number;
    readonly availableReplicas?: number;
  };
};

async function deploymentStates(client: KubeClient): Promise<DeploymentState[]> {
  return Promise.all(
    DEMO.deployments.map((name) =>
      client.request<DeploymentState>({ method: "GET", path: `${DEPLOYMENTS}/${name}` }),
    ),
  );
}

/**
 * Whether the second in which the last Deployment was created is over: a change within it counts as
 * the content that the pods started with.
 */
export async function isDemoSettled(client: KubeClient): Promise<boolean> {
  const states = await deploymentStates(client);
  return states.every(
    ({ metadata }) => Date.parse(metadata.creationTimestamp) + 1_000 <= Date.now(),
  );
}

/**
 * Whether every Deployment of the demo runs its newest template, by the rules of `kubectl rollout
 * status`.
 */
export async function isDemoRunning(client: KubeClient): Promise<boolean> {
  for (const { metadata, status } of await deploymentStates(client)) {
    const counts = [status?.updatedReplicas, status?.replicas, status?.availableReplicas];
    const observed = (status?.observedGeneration ?? 0) >= metadata.generation;
    if (!observed || counts.some((count) => count !== REPLICAS)) return false;
  }
  return true;
}
