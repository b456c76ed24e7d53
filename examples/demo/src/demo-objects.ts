export const DEMO = {
  namespace: "demo",
  configMap: "web-config",
  key: "LOG_LEVEL",
  deployments: ["web", "api"],
} as const;

export const LABEL = "app.kubernetes.io/part-of";

export const LABELS = { [LABEL]: "rollcast-demo" };

export const REPLICAS = 2;

export type DemoObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
};

export const IN_NAMESPACE = `/api/v1/namespaces/${DEMO.namespace}`;

export const DEPLOYMENTS = `/apis/apps/v1/namespaces/${DEMO.namespace}/deployments`;

export const CONFIG_MAPS = `${IN_NAMESPACE}/configmaps`;

export const SECRETS = `${IN_NAMESPACE}/secrets`;

function deployment(name: string, container: object): DemoObject {
  const labels = { ...LABELS, app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name,
      labels: LABELS,
      annotations: { "reloader.stakater.com/auto": "true" },
    },
    spec: {
      replicas: REPLICAS,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "app", image: "registry.k8s.io/pause:3.10", ...container }],
          volumes: [
            { name: "config", configMap: { name: DEMO.configMap } },
            { name: "secret", secret: { secretName: "web-secret" } },
          ],
        },
      },
    },
  };
}

/** The demo's objects in the order of creation, each with the path of its collection. */
export function demoObjects(): readonly (readonly [collection: string, object: DemoObject])[] {
  const meta = (name: string) => ({ name, labels: LABELS });
  const data = { [DEMO.key]: "info", GREETING: "hello" };
  const secretData = { TOKEN: "not-a-real-one" };
  const envFrom = [
    { configMapRef: { name: DEMO.configMap } },
    { secretRef: { name: "web-secret" } },
  ];
  const volumeMounts = [
    { name: "config", mountPath: "/etc/web" },
    { name: "secret", mountPath: "/etc/web-secret" },
  ];
  return [
    ["/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: meta(DEMO.namespace) }],
    [CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: meta(DEMO.configMap), data }],
    [
      SECRETS,
      { apiVersion: "v1", kind: "Secret", metadata: meta("web-secret"), stringData: secretData },
    ],
    [DEPLOYMENTS, deployment("web", { envFrom })],
    [DEPLOYMENTS, deployment("api", { volumeMounts })],
  ];
}
