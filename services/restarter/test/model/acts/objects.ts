import type { Draft } from "../cluster/object.ts";
import { NAMESPACE } from "../world/config.ts";
import type { WorldConfig } from "../world/config.ts";

/** What its owner keeps in a repository and applies. */
export const WEB = { kind: "Deployment", namespace: NAMESPACE, name: "web" } as const;

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

/** The Deployment as its owner writes it. */
export function manifest({ replicas, minReadySeconds }: WorldConfig): Draft {
  const envFrom = [
    { configMapRef: { name: "cfg" } },
    { configMapRef: { name: "late", optional: true } },
  ];
  return {
    apiVersion: "apps/v1",
    kind: WEB.kind,
    metadata: {
      name: WEB.name,
      namespace: NAMESPACE,
      annotations: { "rollcast.dev/auto": "true" },
    },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image: "app:1", envFrom }] },
      },
    },
  };
}
