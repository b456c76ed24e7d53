import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { getWorkload } from "@rollcast/shared/api/workload-routes";
import type { RolloutEvent } from "@rollcast/shared/events";
import { define, defineRollouts, pathIn, setStatus } from "@rollcast/testkit/definitions";
import { AUTO, deployment } from "@rollcast/testkit/deployment";
import { DEAD, NEVER_READY } from "@rollcast/testkit/kwok";
import { addNode, nodeOf } from "@rollcast/testkit/node";
import { configMap, paths } from "@rollcast/testkit/objects";
import { cronJob, custom, daemonSet, pathOf, statefulSet } from "@rollcast/testkit/shapes";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { apiClient, apiToken, apiUrl } from "./restarter-api.ts";
import { setKey, startStack, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

const CONFIG = {
  group: "apps.openshift.io",
  version: "v1",
  kind: "DeploymentConfig",
  plural: "deploymentconfigs",
};
const ROLLOUT = { group: "argoproj.io", version: "v1alpha1", kind: "Rollout", plural: "rollouts" };
const APP = {
  group: `t${randomBytes(4).toString("hex")}.example.com`,
  version: "v1",
  kind: "App",
  plural: "apps",
};
const STUCK = { podAnnotations: { [NEVER_READY]: "true" } };
const USES = [{ as: "envFrom", configMap: "cfg" }] as const;
const LATE = { rollout: { stalledAfter: "2s", resyncInterval: "5m" } };

type Workload = { readonly kind: string; readonly name: string };

async function startWatcher(options: Parameters<typeof startStack>[0] = {}) {
  await using undo = new AsyncDisposableStack();
  const stack = undo.use(await startStack({ services: ["watcher"], config: LATE, ...options }));
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "1" }));
  const kept = undo.move();
  return { stack, api, namespace, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Starts the restarter, and waits until it has adopted everything. */
async function startRestarter(stack: Stack, workloads: readonly Workload[]) {
  const access = await apiToken(stack);
  const service = await stack.start("restarter", { config: { restarter: { api: access.config } } });
  const call = apiClient(await apiUrl(service), access.token);
  const detailOf = async ({ kind, name }: Workload) => {
    const path = `/v1/workloads/${kind}/${stack.namespace}/${name}`;
    return getWorkload.response?.safeParse(await call("GET", path)).data;
  };
  for (const workload of workloads) {
    const isAdopted = async () =>
      (await detailOf(workload))?.sources.some(({ equal }) => equal === true) === true;
    await waitFor(isAdopted, { message: `${workload.kind} ${workload.name} to be adopted` });
  }
  return { detailOf };
}

async function eventsOn({ api, namespace }: Stack, { kind, name }: Workload) {
  const { items } = await api.get<{
    items: { reason: string; note: string; regarding: Workload }[];
  }>(paths.event(namespace));
  return items.filter(({ regarding }) => regarding.kind === kind && regarding.name === name);
}

/**
 * What is told of a rollout that stalls: to subscribers and receivers, to who asks, and on the
 * workload.
 */
async function stallOf(
  stack: Stack,
  workload: Workload,
  { detailOf }: Awaited<ReturnType<typeof startRestarter>>,
): Promise<string> {
  const event = (await stack.waitEvent("stalled", workload.name)) as RolloutEvent;
  const { message = "" } = event.data;
  const explained = (await detailOf(workload))?.events.find(({ outcome }) => outcome === "stalled");
  expect(explained?.message, `what is explained of ${workload.name}`).toBe(message);
  const isOnWorkload = async () =>
    (await eventsOn(stack, workload)).find(({ reason }) => reason === "ReloadStalled");
  const { note } = await waitFor(isOnWorkload, { message: `the Event of ${workload.name}` });
  expect(note).toContain(message);
  return message;
}

type Typed = AnyObject & { readonly apiVersion?: string; readonly kind?: string };

function ownedBy({ apiVersion, kind, metadata: { name, uid } }: Typed) {
  return { apiVersion, kind, name, uid, controller: true };
}

/** A pod of this workload's that does not get ready. */
function stuckPod(namespace: string, name: string, app: string, owner: Typed) {
  const { metadata, spec } = deployment(namespace, name, STUCK).spec.template;
  const own = { ...metadata, name, namespace, labels: { app }, ownerReferences: [ownedBy(owner)] };
  return { apiVersion: "v1", kind: "Pod", metadata: own, spec };
}

test("a rollout that stalls names its pods, whatever makes them: in the event, to who asks, and on the workload", async () => {
  const kinds = [{ ...APP, templatePath: "spec.template" }];
  await using harness = await startWatcher({ config: { ...LATE, kinds } });
  const { stack, api, namespace } = harness;
  await define(api, APP);
  await define(api, CONFIG);
  await defineRollouts(api);
  await api.create(
    pathOf("apps/v1", namespace, "statefulsets"),
    statefulSet(namespace, "db", STUCK),
  );
  await api.create(
    pathOf("apps/v1", namespace, "daemonsets"),
    daemonSet(namespace, "agent", STUCK),
  );
  await api.create(
    pathOf("batch/v1", namespace, "cronjobs"),
    cronJob(namespace, "sync", { endless: true }),
  );
  const spec = {
    selector: { app: "dc" },
    strategy: { rollingParams: { timeoutSeconds: 2 } },
  };
  const at = { namespace, name: "dc" };
  await api.create(
    pathIn(namespace, CONFIG),
    custom("apps.openshift.io/v1", "DeploymentConfig", at, { spec }),
  );
  const versions = (latestVersion: number, observedGeneration: number) =>
    setStatus(api, pathIn(namespace, CONFIG, "dc"), {
      latestVersion,
      observedGeneration,
      replicas: 1,
      updatedReplicas: latestVersion === 1 ? 1 : 0,
      availableReplicas: 1,
    });
  await versions(1, 1);
  await api.create(
    paths.deployment(namespace),
    deployment(namespace, "tpl", { uses: USES, replicas: 0, annotations: {} }),
  );
  const rollout = await api.create(pathIn(namespace, ROLLOUT), {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: { name: "by-ref", namespace, annotations: AUTO },
    spec: {
      workloadRef: { apiVersion: "apps/v1", kind: "Deployment", name: "tpl" },
      progressDeadlineSeconds: 2,
      strategy: { canary: {} },
    },
  });
  const phase = (workloadObservedGeneration: string, name: string) =>
    setStatus(api, pathIn(namespace, ROLLOUT, "by-ref"), {
      observedGeneration: "1",
      workloadObservedGeneration,
      phase: name,
    });
  await phase("1", "Healthy");
  const app = await api.create(
    pathIn(namespace, APP),
    custom(`${APP.group}/v1`, "App", { namespace, name: "app" }),
  );
  const mid = await api.create(
    pathIn(namespace, APP),
    custom(`${APP.group}/v1`, "App", { namespace, name: "mid" }),
  );
  // What its controller makes of it, which makes the pods.
  const { metadata, ...set } = statefulSet(namespace, "mid", STUCK);
  await api.create(pathOf("apps/v1", namespace, "statefulsets"), {
    ...set,
    metadata: { ...metadata, ownerReferences: [ownedBy(mid)] },
  });
  const reconciling = async (observedGeneration: number, status: "True" | "False") => {
    for (const name of ["app", "mid"]) {
      await setStatus(api, pathIn(namespace, APP, name), {
        observedGeneration,
        conditions: [{ type: "Reconciling", status, reason: "Rolling" }],
      });
    }
  };
  await reconciling(1, "False");
  const workloads = [
    { kind: "App", name: "app", pod: /app-0 is not ready$/ },
    { kind: "App", name: "mid", pod: /mid-0 is not ready$/ },
    { kind: "StatefulSet", name: "db", pod: /db-0 is not ready; .*: delete it$/ },
    { kind: "DaemonSet", name: "agent", pod: /agent-\w{5} is not ready$/ },
    { kind: "CronJob", name: "sync", pod: /sync-[0-9a-f]{10}-\w{5} is not ready$/ },
    { kind: "DeploymentConfig", name: "dc", pod: /dc-2-\w{5} is not ready$/ },
    { kind: "Deployment", name: "tpl", pod: /by-ref-7d9f-\w{5} is not ready$/ },
  ];
  const restarter = await startRestarter(stack, workloads);
  const { template } = deployment(namespace, "tpl", STUCK).spec;
  const made = (labels: Readonly<Record<string, string>>) => ({
    template: { ...template, metadata: { ...template.metadata, labels } },
  });
  const controllers = `/api/v1/namespaces/${namespace}/replicationcontrollers`;
  const selector = { deployment: "dc-2" };
  const version = await api.create(controllers, {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: { name: "dc-2", namespace },
    spec: { replicas: 0, selector, ...made(selector) },
  });
  for (const pod of [
    stuckPod(namespace, "app-0", "app", app),
    stuckPod(namespace, "dc-2-x7k2p", "dc", version),
  ]) {
    await api.create(paths.pod(namespace), pod);
  }
  const labels = { app: "tpl", "rollouts-pod-template-hash": "7d9f" };
  await api.create(paths.replicaSet(namespace), {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "by-ref-7d9f", namespace, ownerReferences: [ownedBy(rollout)] },
    spec: { replicas: 1, selector: { matchLabels: labels }, ...made(labels) },
  });
  const isMade = async () => {
    const { items } = await api.get<{ items: AnyObject[] }>(paths.pod(namespace));
    return items.some(({ metadata }) => metadata.name.startsWith("by-ref-7d9f-"));
  };
  await waitFor(isMade, { message: "the pod of the next revision" });

  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("started", "dc");
  await stack.waitEvent("started", "tpl");
  await stack.waitEvent("started", "app");
  await stack.waitEvent("started", "mid");
  await versions(2, 2);
  await reconciling(2, "True");
  await phase("2", "Progressing");

  for (const { pod, ...workload } of workloads) {
    const message = await stallOf(stack, workload, restarter);
    expect(message, workload.kind).toMatch(pod);
  }
});

type Condition = { readonly type: string; readonly status: string };
type PodMaker = {
  readonly spec: { readonly template: { readonly spec: object } };
};

/** Nobody confirms that a pod there has ended, and no controller makes another one before that. */
test("a rollout that hangs on a node that is gone names the pod there", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 2 }];
  const cluster = { nodesDie: true };
  await using harness = await startWatcher({ cluster, config: { ...LATE, queues } });
  const { stack, api, namespace } = harness;
  await api.create(paths.configMap(namespace), configMap(namespace, "later", { a: "1" }));
  await addNode(api, nodeOf("node-2", { zone: "b" }));
  for (const [plural, make] of [
    ["statefulsets", statefulSet],
    ["daemonsets", daemonSet],
  ] as const) {
    const object = make(namespace, plural, { uses: USES }) as AnyObject & PodMaker;
    Object.assign(object.spec.template.spec, {
      nodeSelector: { zone: "b" },
      // As agents of a node have it: it is not left for being gone.
      tolerations: [{ operator: "Exists" }],
      terminationGracePeriodSeconds: 30,
    });
    await api.create(pathOf("apps/v1", namespace, plural), object);
  }
  // Without a toleration for it no pod is wanted on a node that is gone.
  const uses = [{ as: "envFrom", configMap: "later" }] as const;
  const plain = daemonSet(namespace, "plain", { uses }) as AnyObject & PodMaker;
  Object.assign(plain.spec.template.spec, { nodeSelector: { zone: "b" } });
  await api.create(pathOf("apps/v1", namespace, "daemonsets"), plain);
  const pods = async () => {
    const { items } = await api.get<{
      items: (AnyObject & { spec: { nodeName?: string }; status: { phase: string } })[];
    }>(paths.pod(namespace));
    return items.filter(
      ({ spec, status }) => spec.nodeName === "node-2" && status.phase === "Running",
    );
  };
  await waitFor(async () => (await pods()).length === 3, { message: "all pods on the node" });
  const workloads = [
    { kind: "StatefulSet", name: "statefulsets" },
    { kind: "DaemonSet", name: "daemonsets" },
  ];
  const restarter = await startRestarter(stack, [
    ...workloads,
    { kind: "DaemonSet", name: "plain" },
  ]);
  const names = (await pods()).map(({ metadata }) => metadata.name);

  await api.patch("/api/v1/nodes/node-2", { metadata: { labels: { [DEAD]: "true" } } });
  const isGone = async () => {
    const { status } = await api.get<{ status: { conditions?: Condition[] } }>(
      "/api/v1/nodes/node-2",
    );
    return status.conditions?.find(({ type }) => type === "Ready")?.status === "Unknown";
  };
  await waitFor(isGone, { message: "the node to be gone" });
  await setKey(stack, "cfg", "a", "2");

  for (const workload of workloads) {
    const message = await stallOf(stack, workload, restarter);
    expect(
      names.filter((name) => message.includes(name)),
      message,
    ).toHaveLength(1);
  }
  const { message: ofAgent } = (await stack.waitEvent("stalled", "daemonsets")).data as {
    message?: string;
  };
  expect(ofAgent).toContain("node-2");
  // Both places are free again.
  await setKey(stack, "later", "a", "2");
  await stack.waitEvent("succeeded", "plain");
});

/** Controllers answer a change of size before they begin with a new template. */
test("what a status says of the rollout before is not told of ours", async () => {
  await using harness = await startWatcher({ cluster: { controllers: false } });
  const { stack, api, namespace } = harness;
  await defineRollouts(api);
  const deployments = paths.deployment(namespace);
  await api.create(deployments, deployment(namespace, "web", { uses: USES }));
  const timedOut = {
    type: "Progressing",
    status: "False",
    reason: "ProgressDeadlineExceeded",
    message: 'ReplicaSet "web-1" has timed out progressing.',
  };
  const arrived = { ...timedOut, status: "True", reason: "NewReplicaSetAvailable", message: "" };
  const says = async (revision: number, observedGeneration: number, condition: object) => {
    const counts = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
    const annotations = { "deployment.kubernetes.io/revision": String(revision) };
    const status = { observedGeneration, conditions: [condition], ...counts };
    // In one write, as the controller does.
    await api.patch(`${deployments}/web/status`, { metadata: { annotations }, status });
  };
  await says(1, 1, timedOut);
  const annotations = { ...AUTO, "reloader.stakater.com/rollout-strategy": "restart" };
  const at = { namespace, name: "aborted" };
  await api.create(
    pathIn(namespace, ROLLOUT),
    custom("argoproj.io/v1alpha1", "Rollout", at, { uses: USES, annotations }),
  );
  const aborted = {
    type: "Progressing",
    status: "False",
    reason: "RolloutAborted",
    message: "Rollout aborted update to revision 2",
    lastTransitionTime: "2026-01-01T00:00:00Z",
    lastUpdateTime: "2026-01-01T00:00:00Z",
  };
  const rollout = pathIn(namespace, ROLLOUT, "aborted");
  const degraded = (observedGeneration: string, more: object = {}) =>
    setStatus(api, rollout, {
      observedGeneration,
      phase: "Degraded",
      conditions: [aborted],
      ...more,
    });
  await degraded("1");
  await startRestarter(stack, [
    { kind: "Deployment", name: "web" },
    { kind: "Rollout", name: "aborted" },
  ]);

  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("started", "web");
  await stack.waitEvent("started", "aborted");
  await says(1, 2, timedOut);
  await degraded("2");
  // Long enough for each of them to be told.
  await sleep(1_000);
  const outcomes = async (name: string) => wordsOf(await stack.events(), name);
  expect(await outcomes("web")).toEqual(["planned", "started"]);
  expect(await outcomes("aborted")).toEqual(["planned", "started"]);

  await says(2, 2, arrived);
  const { spec } = await api.get<{ spec: { restartAt: string } }>(rollout);
  await degraded("2", { restartedAt: spec.restartAt });
  await stack.waitEvent("succeeded", "web");
  await stack.waitEvent("succeeded", "aborted");
});
