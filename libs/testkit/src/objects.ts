import { randomBytes } from "node:crypto";
import type { AnyObject, Api } from "./test-api.ts";
import { waitFor } from "./wait.ts";

/** Builders of small objects for tests; each in the namespace given. */
export function configMap(namespace: string, name: string, data: Record<string, string>) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data };
}

/** `data` in plain text. */
export function secret(namespace: string, name: string, data: Record<string, string>) {
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, stringData: data };
}

/** API paths of namespaced objects. */
export const paths = {
  configMap: (namespace: string, name = "") => join("/api/v1", namespace, "configmaps", name),
  secret: (namespace: string, name = "") => join("/api/v1", namespace, "secrets", name),
  pod: (namespace: string, name = "") => join("/api/v1", namespace, "pods", name),
  deployment: (namespace: string, name = "") =>
    join("/apis/apps/v1", namespace, "deployments", name),
  replicaSet: (namespace: string, name = "") =>
    join("/apis/apps/v1", namespace, "replicasets", name),
  event: (namespace: string, name = "") =>
    join("/apis/events.k8s.io/v1", namespace, "events", name),
};

function join(root: string, namespace: string, plural: string, name: string): string {
  return `${root}/namespaces/${namespace}/${plural}${name === "" ? "" : `/${name}`}`;
}

/** A namespace of its own, removed at disposal. */
export async function createNamespace(
  api: Api,
  prefix = "t",
): Promise<AsyncDisposable & { readonly name: string }> {
  const name = `${prefix}-${randomBytes(4).toString("hex")}`;
  await api.create("/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name },
  });
  return {
    name,
    async [Symbol.asyncDispose]() {
      await api.remove(`/api/v1/namespaces/${name}`).catch(() => undefined);
    },
  };
}

type DeploymentStatus = AnyObject & {
  spec: { replicas: number };
  status: {
    observedGeneration?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    replicas?: number;
  };
};

/**
 * Whether a Deployment has rolled out its newest template, by the rules of
 * `kubectl rollout status`.
 */
export function isRolledOut(object: AnyObject): boolean {
  const { status, spec, metadata } = object as DeploymentStatus;
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    (status.updatedReplicas ?? 0) === spec.replicas &&
    (status.replicas ?? 0) === spec.replicas &&
    (status.availableReplicas ?? 0) === spec.replicas
  );
}

/** Waits until a Deployment {@link isRolledOut}. */
export async function waitRolledOut(api: Api, namespace: string, name: string): Promise<void> {
  const path = paths.deployment(namespace, name);
  await waitFor(async () => isRolledOut(await api.get(path)), {
    message: `Deployment ${namespace}/${name} to be rolled out`,
    timeout: 60_000,
  });
}

/** Names of the ReplicaSets that a Deployment ever had. */
export async function replicaSetsOf(
  api: Api,
  namespace: string,
  deploymentName: string,
): Promise<string[]> {
  const list = await api.get<{ items: AnyObject[] }>(paths.replicaSet(namespace));
  return list.items
    .filter((replicaSet) => replicaSet.metadata.labels?.app === deploymentName)
    .map((replicaSet) => replicaSet.metadata.name);
}
