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

/**
 * A Deployment of one container that uses the sources; opted in unless `annotations` says
 * otherwise.
 */
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
      progressDeadlineSeconds: shape.progressDeadlineSeconds,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: {
          labels: { app: name },
          annotations: shape.podAnnotations,
        },
        spec: {
          terminationGracePeriodSeconds: 0,
          initContainers:
            init.length === 0
              ? undefined
              : [{ name: "init", image, envFrom: init.flatMap(envFromOf) }],
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
