import { randomBytes } from "node:crypto";
import type { AnyObject, Api } from "./client.ts";
import { waitFor } from "./wait.ts";

/** Builders of small objects for tests; each in the namespace given. */
export function configMap(namespace: string, name: string, data: Record<string, string>) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data };
}

/** `data` in plain text. */
export function secret(namespace: string, name: string, data: Record<string, string>) {
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, stringData: data };
}

/** How a pod uses a source. */
export type Use =
  | {
      readonly as: "env";
      readonly configMap?: string;
      readonly secret?: string;
      readonly key: string;
    }
  | {
      readonly as: "envFrom" | "volume" | "projected" | "init";
      readonly configMap?: string;
      readonly secret?: string;
    };

export type DeploymentShape = {
  readonly uses?: readonly Use[];
  readonly replicas?: number;
  readonly annotations?: Record<string, string>;
  readonly podAnnotations?: Record<string, string>;
  readonly progressDeadlineSeconds?: number;
  readonly image?: string;
};

export const AUTO = { "reloader.stakater.com/auto": "true" };

function envOf(use: Use) {
  if (use.as !== "env") return [];
  const valueFrom =
    use.configMap === undefined
      ? { secretKeyRef: { name: use.secret, key: use.key } }
      : { configMapKeyRef: { name: use.configMap, key: use.key } };
  return [{ name: `V_${use.key.replaceAll(/[^A-Za-z0-9]/g, "_")}`, valueFrom }];
}

function envFromOf(use: Use) {
  return [
    use.configMap === undefined
      ? { secretRef: { name: use.secret } }
      : { configMapRef: { name: use.configMap } },
  ];
}

type Volume = { name: string; [source: string]: unknown };

function volumeOf(use: Use, i: number): Volume[] {
  if (use.as !== "volume" && use.as !== "projected") return [];
  const projected = use.as === "projected";
  const source =
    use.configMap === undefined
      ? { secret: projected ? { name: use.secret } : { secretName: use.secret } }
      : { configMap: { name: use.configMap } };
  return [{ name: `v${i}`, ...(projected ? { projected: { sources: [source] } } : source) }];
}

/** A Deployment of one container that uses the sources; opted in unless `annotations` says otherwise. */
export function deployment(namespace: string, name: string, shape: DeploymentShape = {}) {
  const uses = shape.uses ?? [];
  const volumes = uses.flatMap(volumeOf);
  const image = shape.image ?? "example/app:1";
  const init = uses.filter((use) => use.as === "init");
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, annotations: shape.annotations ?? AUTO },
    spec: {
      replicas: shape.replicas ?? 1,
      ...(shape.progressDeadlineSeconds === undefined
        ? {}
        : { progressDeadlineSeconds: shape.progressDeadlineSeconds }),
      selector: { matchLabels: { app: name } },
      template: {
        metadata: {
          labels: { app: name },
          ...(shape.podAnnotations === undefined ? {} : { annotations: shape.podAnnotations }),
        },
        spec: {
          terminationGracePeriodSeconds: 0,
          ...(init.length === 0
            ? {}
            : { initContainers: [{ name: "init", image, envFrom: init.flatMap(envFromOf) }] }),
          containers: [
            {
              name: "app",
              image,
              env: uses.flatMap(envOf),
              envFrom: uses.filter((use) => use.as === "envFrom").flatMap(envFromOf),
              volumeMounts: volumes.map((volume) => ({
                name: volume.name,
                mountPath: `/etc/${volume.name}`,
              })),
            },
          ],
          volumes,
        },
      },
    },
  };
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

/** Waits until a Deployment has rolled out its newest template, by the rules of `kubectl rollout status`. */
export async function waitRolledOut(api: Api, namespace: string, name: string): Promise<void> {
  await waitFor(
    async () => {
      const one = await api.get<DeploymentStatus>(paths.deployment(namespace, name));
      const { status, spec } = one;
      return (
        (status.observedGeneration ?? 0) >= (one.metadata.generation ?? 0) &&
        (status.updatedReplicas ?? 0) === spec.replicas &&
        (status.replicas ?? 0) === spec.replicas &&
        (status.availableReplicas ?? 0) === spec.replicas
      );
    },
    { message: `Deployment ${namespace}/${name} to be rolled out`, timeout: 60_000 },
  );
}

/** Names of the ReplicaSets that a Deployment ever had. */
export async function replicaSetsOf(
  api: Api,
  namespace: string,
  deploymentName: string,
): Promise<string[]> {
  const list = await api.get<{ items: AnyObject[] }>(paths.replicaSet(namespace));
  return list.items
    .filter((one) => one.metadata.labels?.app === deploymentName)
    .map((one) => one.metadata.name);
}
