import { KubeError } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";

export const DEMO = {
  namespace: "demo",
  configMap: "web-config",
  key: "LOG_LEVEL",
  deployments: ["web", "api"],
} as const;

const LABEL = "app.kubernetes.io/part-of";
const LABELS = { [LABEL]: "rollcast-demo" };
const REPLICAS = 2;

type DemoObject = {
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

const IN_NAMESPACE = `/api/v1/namespaces/${DEMO.namespace}`;
const DEPLOYMENTS = `/apis/apps/v1/namespaces/${DEMO.namespace}/deployments`;
const CONFIG_MAPS = `${IN_NAMESPACE}/configmaps`;
const SECRETS = `${IN_NAMESPACE}/secrets`;

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

/** The demo's objects, each with the path of its collection, in the order of their making. */
function demoObjects(): readonly (readonly [collection: string, object: DemoObject])[] {
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

function isStatus(err: unknown, status: number): boolean {
  return err instanceof KubeError && err.status === status;
}

/**
 * Applies the demo. Disposal removes what it made (in a cluster that goes on living) and nothing else. Throws where an object of that name belongs
 * to somebody else.
 */
export async function applyDemo(client: KubeClient): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  for (const [collection, object] of demoObjects()) {
    const uid = await createOrTake(client, collection, object);
    // A namespace that was there stays, also where an earlier demo made it: others may have moved in.
    if (uid === undefined) continue;
    const path = `${collection}/${object.metadata.name}`;
    undo.defer(() => remove(client, path, uid, object.kind));
  }
  const kept = undo.move();
  return { [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
}

/** The uid of what is ours to remove; undefined for a namespace that was there. */
async function createOrTake(
  client: KubeClient,
  collection: string,
  object: DemoObject,
): Promise<string | undefined> {
  const path = `${collection}/${object.metadata.name}`;
  try {
    const query = { fieldManager: "rollcast-demo" };
    const made = await client.request<DemoObject>({
      method: "POST",
      path: collection,
      query,
      body: object,
    });
    return made.metadata.uid;
  } catch (err) {
    if (!isStatus(err, 409)) throw err;
  }
  if (object.kind === "Namespace") return undefined;
  const found = await client.request<DemoObject>({ method: "GET", path });
  if (found.metadata.labels?.[LABEL] !== LABELS[LABEL]) {
    throw new Error(
      `${object.kind} ${DEMO.namespace}/${object.metadata.name} exists and is not the demo's: nothing was changed there`,
    );
  }
  return found.metadata.uid;
}

async function remove(client: KubeClient, path: string, uid: string, kind: string): Promise<void> {
  if (kind === "Namespace" && (await holdsMore(client))) return;
  const body = {
    apiVersion: "v1",
    kind: "DeleteOptions",
    // Only the very object that was made, not one of the same name.
    preconditions: { uid },
    propagationPolicy: "Background",
  };
  await client.request({ method: "DELETE", path, body }).catch((err: unknown) => {
    if (!isStatus(err, 404) && !isStatus(err, 409)) throw err;
  });
}

/** Whether something of others is in the demo's namespace. */
async function holdsMore(client: KubeClient): Promise<boolean> {
  const collections = [CONFIG_MAPS, SECRETS, DEPLOYMENTS, `${IN_NAMESPACE}/persistentvolumeclaims`];
  for (const path of collections) {
    const { items } = await client.request<{ items: DemoObject[] }>({ method: "GET", path });
    // Kubernetes puts its CA's certificate into every namespace.
    if (items.some((item) => item.metadata.name !== "kube-root-ca.crt")) return true;
  }
  return false;
}

/** Sets `LOG_LEVEL` to another value, as `kubectl edit` would; returns it. */
export async function editDemo(client: KubeClient): Promise<string> {
  const path = `${CONFIG_MAPS}/${DEMO.configMap}`;
  const before = await client.request<{ data?: Record<string, string> }>({ method: "GET", path });
  const value = before.data?.[DEMO.key] === "debug" ? "info" : "debug";
  await client.request({
    method: "PATCH",
    path,
    query: { fieldManager: "kubectl-edit" },
    contentType: "application/merge-patch+json",
    body: { data: { [DEMO.key]: value } },
  });
  return value;
}

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

/** Whether the second in which the last Deployment was made is over: what changes within it counts as what the pods started with. */
export async function isDemoSettled(client: KubeClient): Promise<boolean> {
  const states = await deploymentStates(client);
  return states.every(
    ({ metadata }) => Date.parse(metadata.creationTimestamp) + 1_000 <= Date.now(),
  );
}

/** Whether every Deployment of the demo runs its newest template, by the rules of `kubectl rollout status`. */
export async function isDemoRunning(client: KubeClient): Promise<boolean> {
  for (const { metadata, status } of await deploymentStates(client)) {
    const counts = [status?.updatedReplicas, status?.replicas, status?.availableReplicas];
    const seen = (status?.observedGeneration ?? 0) >= metadata.generation;
    if (!seen || counts.some((count) => count !== REPLICAS)) return false;
  }
  return true;
}
