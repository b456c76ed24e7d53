import { argoRollout } from "@rollcast/kube/workloads/argo-rollout";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { daemonSet } from "@rollcast/kube/workloads/daemonset";
import { deployment } from "@rollcast/kube/workloads/deployment";
import { genericKind } from "@rollcast/kube/workloads/generic";
import { job } from "@rollcast/kube/workloads/job";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { statefulSet } from "@rollcast/kube/workloads/statefulset";
import { DEAD, FAILS, NEVER_READY } from "@rollcast/testkit/kwok";
import { expect, test } from "vitest";
import { podQuota } from "../quota.ts";
import { createObjectStore } from "../object-store.ts";
import type { ObjectStore } from "../object-store.ts";
import { canonical } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import { nextTime } from "./next-time.ts";
import { isDeleting, isReady } from "./parts.ts";
import { runToRest, seededChoice } from "./run-to-rest.ts";

const NOW = Date.parse("2026-03-01T10:00:00Z");
const KINDS: Record<string, WorkloadKind> = {
  Deployment: deployment,
  StatefulSet: statefulSet,
  DaemonSet: daemonSet,
  Job: job,
  CronJob: cronJob,
  Rollout: argoRollout,
  CloneSet: genericKind({
    kind: "CloneSet",
    group: "apps.kruise.io",
    version: "v1alpha1",
    plural: "clonesets",
    templatePath: "spec.template",
  }),
};
const VERSIONS: Record<string, string> = {
  Job: "batch/v1",
  CronJob: "batch/v1",
  Rollout: "argoproj.io/v1alpha1",
  CloneSet: "apps.kruise.io/v1alpha1",
  Node: "v1",
  ResourceQuota: "v1",
};
const SEEDS = [1, 2, 3, 4, 5];
const by = { manager: "owner" };

function template(annotations: Record<string, string> = {}): Fields {
  return {
    metadata: { labels: { app: "web" }, annotations },
    spec: { containers: [{ name: "app", image: "app:1" }] },
  };
}

function draft(kind: string, spec: Fields = {}): Draft {
  return {
    apiVersion: VERSIONS[kind] ?? "apps/v1",
    kind,
    metadata: { name: "web", namespace: "shop" },
    spec: { selector: { matchLabels: { app: "web" } }, template: template(), ...spec },
  };
}

type World = {
  readonly store: ObjectStore;
  readonly clock: { now: number };
  rest(): string[];
  make(kind: string, spec?: Fields): void;
  edit(kind: string, spec: Fields): void;
  get(kind: string): KubeObject;
  state(kind: string): unknown;
};

function world(seed: number): World {
  const clock = { now: NOW };
  const store = createObjectStore({ now: () => clock.now });
  const choose = seededChoice(seed);
  const get = (kind: string) => {
    const object = store.get({ kind, namespace: "shop", name: "web" });
    if (object === undefined) throw new Error(`no ${kind}`);
    return object;
  };
  return {
    store,
    clock,
    rest: () => runToRest(store, { choose }),
    make: (kind, spec) => void store.create(draft(kind, spec), by),
    edit: (kind, spec) =>
      void store.patch(
        { kind, namespace: "shop", name: "web" },
        { spec },
        { type: "merge", ...by },
      ),
    get,
    state: (kind) => (KINDS[kind] as WorkloadKind).status(get(kind)),
  };
}

const marked = { template: { metadata: { annotations: { mark: "1" } } } };
const stuck = { template: { metadata: { annotations: { [NEVER_READY]: "true" } } } };

test.each(
  ["Deployment", "StatefulSet", "DaemonSet", "Rollout", "CloneSet"].flatMap((kind) =>
    SEEDS.map((seed) => ({ kind, seed })),
  ),
)(
  "$kind: every edit ends complete, with pods of the last template alone ($seed)",
  ({ kind, seed }) => {
    const { store, make, edit, rest, state } = world(seed);
    make(kind, kind === "DaemonSet" ? {} : { replicas: 3 });
    rest();
    expect(state(kind)).toEqual({ state: "complete" });

    edit(kind, marked);
    expect(state(kind)).toEqual({ state: "unobserved" });
    rest();
    expect(state(kind)).toEqual({ state: "complete" });
    const marks = store.list("Pod").map(({ metadata }) => metadata.annotations?.mark);
    expect(marks).toEqual(kind === "DaemonSet" ? ["1"] : ["1", "1", "1"]);
  },
);

test.each(SEEDS)("a Deployment whose pods do not get ready times out by the clock (%i)", (seed) => {
  const { store, clock, make, edit, rest, state, get } = world(seed);
  make("Deployment", { replicas: 2, progressDeadlineSeconds: 60 });
  rest();
  edit("Deployment", stuck);
  rest();
  expect(state("Deployment")).toMatchObject({ state: "progressing" });
  clock.now = nextTime(store) ?? NOW;
  rest();
  expect(clock.now).toBe(NOW + 60_001);
  expect(state("Deployment")).toMatchObject({
    state: "failed",
    reason: "ProgressDeadlineExceeded",
  });
  expect(get("Deployment").status).toMatchObject({ availableReplicas: 2 });
});

test("a paused Deployment observes an edit and rolls it when it is resumed", () => {
  const { store, make, edit, rest, state, get } = world(1);
  make("Deployment", { replicas: 1 });
  rest();
  edit("Deployment", { paused: true, ...marked });
  rest();
  expect(get("Deployment").status).toMatchObject({ observedGeneration: 2 });
  expect(store.list("ReplicaSet")).toHaveLength(1);
  edit("Deployment", { paused: false });
  rest();
  expect(state("Deployment")).toEqual({ state: "complete" });
  expect(store.list("ReplicaSet")).toHaveLength(2);
});

test("a template that returns gets its old ReplicaSet back, with a higher revision", () => {
  const { store, make, edit, rest, get } = world(1);
  make("Deployment", { replicas: 1 });
  rest();
  edit("Deployment", marked);
  rest();
  edit("Deployment", { template: { metadata: { annotations: null } } });
  rest();
  const revision = "deployment.kubernetes.io/revision";
  expect(store.list("ReplicaSet")).toHaveLength(2);
  expect(get("Deployment").metadata.annotations?.[revision]).toBe("3");
});

test("pods beyond the quota are refused, and the Deployment says so", () => {
  const { store, make, rest, get, edit, state } = world(1);
  store.admission.push(podQuota);
  const quota = draft("ResourceQuota");
  store.create(
    { ...quota, metadata: { ...quota.metadata, name: "pods" }, spec: { hard: { pods: "1" } } },
    by,
  );
  rest();
  make("Deployment", { replicas: 2 });
  rest();
  expect(get("Deployment").status).toMatchObject({
    availableReplicas: 1,
    conditions: expect.arrayContaining([
      expect.objectContaining({ type: "ReplicaFailure", status: "True", reason: "FailedCreate" }),
    ]),
  });
  edit("Deployment", { replicas: 1 });
  rest();
  expect(state("Deployment")).toEqual({ state: "complete" });
});

test("a quota refuses by what its controller has counted last", () => {
  const { store, rest } = world(1);
  store.admission.push(podQuota);
  const ref = { kind: "ResourceQuota", namespace: "shop", name: "web" };
  const pod = (name: string) =>
    store.create({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop" } }, by);
  store.create({ ...draft("ResourceQuota"), spec: { hard: { pods: "1" } } }, by);
  pod("a");
  pod("b");
  rest();
  expect(() => pod("c")).toThrow("exceeded quota: web, requested: pods=1, used: pods=2");

  store.patch(ref, { spec: { hard: { pods: "3" } } }, { type: "merge", ...by });
  expect(() => pod("c")).toThrow("limited: pods=1");
  rest();
  pod("c");
  store.remove({ kind: "Pod", namespace: "shop", name: "c" }, { gracePeriodSeconds: 0 });
  expect(() => pod("d")).toThrow("used: pods=3, limited: pods=3");
  rest();
  expect(pod("d").metadata.name).toBe("d");
});

test("a StatefulSet leaves the pods below its partition", () => {
  const { store, make, edit, rest, state } = world(1);
  make("StatefulSet", {
    replicas: 3,
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } },
  });
  rest();
  edit("StatefulSet", marked);
  rest();
  expect(state("StatefulSet")).toMatchObject({ state: "complete", reason: "Partition" });
  expect(store.list("Pod").map(({ metadata }) => metadata.annotations?.mark)).toEqual([
    undefined,
    undefined,
    "1",
  ]);
});

test.each(["StatefulSet", "DaemonSet"])("%s: OnDelete leaves the pods to their owner", (kind) => {
  const { store, make, edit, rest, state } = world(1);
  make(kind, { updateStrategy: { type: "OnDelete" } });
  rest();
  edit(kind, marked);
  rest();
  expect(state(kind)).toMatchObject({ state: "complete", reason: "OnDelete" });
  for (const { metadata } of store.list("Pod")) {
    store.remove({ kind: "Pod", namespace: "shop", name: metadata.name });
  }
  rest();
  expect(state(kind)).toEqual({ state: "complete" });
});

test("minReadySeconds holds a StatefulSet's next pod until the clock has passed them", () => {
  const { store, clock, make, rest } = world(1);
  make("StatefulSet", { replicas: 2, minReadySeconds: 10 });
  rest();
  expect(store.list("Pod")).toHaveLength(1);
  clock.now += 11_000;
  rest();
  expect(store.list("Pod")).toHaveLength(2);
});

function nodes(store: ObjectStore, ...names: string[]) {
  for (const name of names) {
    store.create({ apiVersion: "v1", kind: "Node", metadata: { name } }, by);
  }
  return (name: string, dead: boolean) => {
    const labels = { [DEAD]: dead ? "true" : null };
    store.patch({ kind: "Node", name }, { metadata: { labels } }, { type: "merge", ...by });
  };
}

test.each(SEEDS)("pods on a dead node neither get ready nor end, until it is back (%i)", (seed) => {
  const { store, make, edit, rest, state } = world(seed);
  const die = nodes(store, "n1");
  const status = () => store.get({ kind: "DaemonSet", namespace: "shop", name: "web" })?.status;
  make("DaemonSet");
  rest();
  die("n1", true);
  rest();
  expect(status()).toMatchObject({ desiredNumberScheduled: 0, numberMisscheduled: 1 });
  edit("DaemonSet", marked);
  rest();
  const [pod, ...others] = store.list("Pod");
  expect(pod?.metadata.deletionTimestamp).toBeDefined();
  expect(others).toEqual([]);
  die("n1", false);
  rest();
  expect(status()).toMatchObject({ desiredNumberScheduled: 1, numberReady: 1 });
  expect(state("DaemonSet")).toEqual({ state: "complete" });
});

test("pods of a dead node are evicted, and replaced on another; they are ready again with it", () => {
  const { store, make, rest } = world(1);
  const die = nodes(store, "n1", "n2");
  const placed = () =>
    store.list("Pod").map((pod) => [pod.spec?.nodeName, isReady(pod), isDeleting(pod)]);
  make("Deployment", { replicas: 1 });
  rest();
  const [[first] = []] = placed();
  const second = first === "n1" ? "n2" : "n1";
  die(String(first), true);
  rest();
  expect(placed()).toEqual(
    expect.arrayContaining([
      [first, false, true],
      [second, true, false],
    ]),
  );
  die(String(first), false);
  rest();
  expect(placed()).toEqual([[second, true, false]]);
});

test.each<{ name: string; annotations: Record<string, string>; expected: object }>([
  { name: "succeeds", annotations: {}, expected: { state: "complete" } },
  {
    name: "fails",
    annotations: { [FAILS]: "true" },
    expected: { state: "failed", reason: "BackoffLimitExceeded" },
  },
])("a Job that $name has its end in its status", ({ annotations, expected }) => {
  for (const seed of SEEDS) {
    const { make, rest, state } = world(seed);
    make("Job", { selector: undefined, backoffLimit: 1, template: template(annotations) });
    rest();
    expect(state("Job")).toMatchObject(expected);
  }
});

test("a Job that is deleted takes its pods along, and may be made again", () => {
  const { store, make, rest, state } = world(1);
  make("Job", { selector: undefined, template: template({ [NEVER_READY]: "true" }) });
  rest();
  store.remove({ kind: "Job", namespace: "shop", name: "web" }, { propagation: "Background" });
  make("Job", { selector: undefined });
  rest();
  expect(state("Job")).toEqual({ state: "complete" });
  expect(store.list("Pod")).toHaveLength(1);
});

test("a CronJob runs when it is due, and not while it is suspended", () => {
  const { store, clock, rest } = world(1);
  store.create(
    {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "web", namespace: "shop" },
      spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template: template() } } },
    },
    by,
  );
  rest();
  expect(store.list("Job")).toHaveLength(0);
  clock.now += 301_000;
  rest();
  expect(store.list("Job")).toHaveLength(1);
  store.patch(
    { kind: "CronJob", namespace: "shop", name: "web" },
    { spec: { suspend: true } },
    { type: "merge", ...by },
  );
  clock.now += 301_000;
  rest();
  expect(store.list("Job")).toHaveLength(1);
});

test("a canary waits at its pause until somebody ends it", () => {
  const { store, make, edit, rest, state, get } = world(1);
  make("Rollout", {
    replicas: 3,
    strategy: { canary: { steps: [{ setWeight: 20 }, { pause: {} }] } },
  });
  rest();
  edit("Rollout", marked);
  rest();
  expect(get("Rollout").status).toMatchObject({ phase: "Paused", updatedReplicas: 1 });
  const { pauseConditions: _, ...status } = get("Rollout").status ?? {};
  store.update(
    { ...get("Rollout"), status },
    { manager: "kubectl-argo-rollouts", subresource: "status" },
  );
  rest();
  expect(state("Rollout")).toEqual({ state: "complete" });
});

test("a canary takes its weights one by one, and a pause with a duration ends by the clock", () => {
  const { store, clock, make, edit, rest, state, get } = world(1);
  const steps = [{ setWeight: 25 }, { pause: { duration: 60 } }, { setWeight: 50 }, { pause: {} }];
  make("Rollout", { replicas: 4, strategy: { canary: { steps } } });
  rest();
  edit("Rollout", marked);
  rest();
  expect(get("Rollout").status).toMatchObject({ phase: "Paused", updatedReplicas: 1 });
  while (get("Rollout").status?.currentStepIndex === 1) {
    clock.now = nextTime(store) ?? Number.NaN;
    rest();
  }
  expect(clock.now).toBe(NOW + 60_001);
  expect(get("Rollout").status).toMatchObject({ phase: "Paused", updatedReplicas: 2 });
  edit("Rollout", { template: { metadata: { annotations: { mark: null } } } });
  rest();
  expect(state("Rollout")).toEqual({ state: "complete" });
});

test("a Rollout whose pods do not get ready is given up by the clock, and taken up again", () => {
  const { store, clock, make, edit, rest, state } = world(1);
  make("Rollout", { replicas: 2, progressDeadlineSeconds: 60 });
  rest();
  edit("Rollout", stuck);
  rest();
  expect(state("Rollout")).toMatchObject({ state: "progressing" });
  clock.now = nextTime(store) ?? NOW;
  rest();
  expect(state("Rollout")).toMatchObject({ state: "failed", reason: "ProgressDeadlineExceeded" });
  edit("Rollout", { template: { metadata: { annotations: null } } });
  rest();
  expect(state("Rollout")).toEqual({ state: "complete" });
});

test("a Rollout restarts its pods from the time that is asked for", () => {
  const { store, clock, make, edit, rest, get, state } = world(1);
  make("Rollout", { replicas: 2 });
  rest();
  const before = new Set(store.list("Pod").map(({ metadata }) => metadata.uid));
  clock.now += 5_000;
  edit("Rollout", { restartAt: "2026-03-01T10:00:05Z" });
  rest();
  expect(get("Rollout").status).toMatchObject({ restartedAt: "2026-03-01T10:00:05Z" });
  expect(state("Rollout")).toEqual({ state: "complete" });
  expect(store.list("Pod").some(({ metadata }) => before.has(metadata.uid))).toBe(false);
});

test("the same seed gives the same world", () => {
  const texts = [7, 7, 8].map((seed) => {
    const { store, make, edit, rest } = world(seed);
    make("Deployment", { replicas: 3 });
    rest();
    edit("Deployment", marked);
    const done = rest();
    return canonical([done, store.snapshot()]);
  });
  expect(texts[0]).toBe(texts[1]);
  expect(texts[0]).not.toBe(texts[2]);
});
