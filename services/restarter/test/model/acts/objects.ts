import type { Draft, Fields } from "../cluster/object.ts";
import { NAMESPACE, PARTITION, updateOf } from "../world/config.ts";
import type { NodeName, WorkloadName, WorldConfig, WorldKind } from "../world/config.ts";

export function workloadRef({ kind = "Deployment" }: WorldConfig, name: WorkloadName = "web") {
  return { kind, namespace: NAMESPACE, name } as const;
}

/** `cfg` is there from the beginning; `late` may come at any time. */
export type SourceName = "cfg" | "late";

export function sourceRef(name: SourceName) {
  return { kind: "ConfigMap", namespace: NAMESPACE, name } as const;
}

export function source(name: SourceName, value: number): Draft {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: NAMESPACE },
    data: { value: `${name} ${value}` },
  };
}

export function node(name: NodeName): Draft {
  return { apiVersion: "v1", kind: "Node", metadata: { name } };
}

export const QUOTA_REF = { kind: "ResourceQuota", namespace: NAMESPACE, name: "pods" } as const;

export function podQuota(pods: number): Draft {
  const { kind, ...metadata } = QUOTA_REF;
  return { apiVersion: "v1", kind, metadata, spec: { hard: { pods: String(pods) } } };
}

/** The fields of the spec by which its controller replaces pods. */
function strategy(config: WorldConfig): Fields {
  switch (updateOf(config)) {
    case "Recreate":
      return { strategy: { type: "Recreate" } };
    case "OnDelete":
      return { updateStrategy: { type: "OnDelete" } };
    case "Partition": {
      const rollingUpdate = { partition: PARTITION };
      return { updateStrategy: { type: "RollingUpdate", rollingUpdate } };
    }
    case "Restart":
    case "Forbid":
    case "Replace":
    case undefined:
      return {};
  }
}

const RESTART = { "rollcast.dev/rollout-strategy": "restart" };

const VERSIONS: Readonly<Record<WorldKind, string>> = {
  Deployment: "apps/v1",
  StatefulSet: "apps/v1",
  DaemonSet: "apps/v1",
  Rollout: "argoproj.io/v1alpha1",
  CronJob: "batch/v1",
  Job: "batch/v1",
  CloneSet: "apps.kruise.io/v1alpha1",
};

/** The spec of a workload whose pods run to their end; the schedule never comes. */
function batchSpec(config: WorldConfig, kind: WorldKind, template: Fields): Fields | undefined {
  const { deadlineSeconds: seconds } = config;
  const spec = { ...(seconds === undefined ? {} : { activeDeadlineSeconds: seconds }), template };
  if (kind === "Job") return spec;
  if (kind !== "CronJob") return undefined;
  const policy = updateOf(config);
  return {
    schedule: "0 0 29 2 *",
    ...(policy === undefined ? {} : { concurrencyPolicy: policy }),
    jobTemplate: { spec },
  };
}

/** A workload as its owner keeps it in a repository and applies it. */
export function manifest(config: WorldConfig, workload: WorkloadName = "web"): Draft {
  const { replicas, minReadySeconds } = config;
  const { kind, namespace, name } = workloadRef(config, workload);
  const envFrom = [
    { configMapRef: { name: "cfg" } },
    { configMapRef: { name: "late", optional: true } },
  ];
  const template = {
    metadata: { labels: { app: name } },
    spec: { containers: [{ name: "app", image: "app:1", envFrom }] },
  };
  return {
    apiVersion: VERSIONS[kind],
    kind,
    metadata: {
      name,
      namespace,
      annotations: {
        "rollcast.dev/auto": "true",
        ...(updateOf(config) === "Restart" ? RESTART : {}),
      },
    },
    spec: batchSpec(config, kind, template) ?? {
      ...(kind === "DaemonSet" ? {} : { replicas }),
      ...(kind === "StatefulSet" ? { serviceName: name } : {}),
      ...strategy(config),
      selector: { matchLabels: { app: name } },
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      template,
    },
  };
}
