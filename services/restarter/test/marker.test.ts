import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";
import { deployment } from "@rollcast/testkit/deployment";
import { helm } from "@rollcast/testkit/helm";
import { NODE } from "@rollcast/testkit/node";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { pathOf, statefulSet } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MARKER } from "../src/model/content.ts";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

const MARKER_PATH = `/spec/template/metadata/annotations/${MARKER.replace("/", "~1")}`;
const JSON_PATCH = "application/json-patch+json";

let harness: RestarterHarness;
/** Calls the restarter's API about a Deployment. */
let ask: <T>(name: string, action?: "roll" | "retry") => Promise<T>;

beforeAll(async () => {
  harness = await startRestarterHarness();
  const token = randomBytes(24).toString("base64url");
  const tokenFile = join(harness.dir, "token");
  await writeFile(tokenFile, token);
  const restarter = await harness.start({
    config: { restarter: { api: { listen: "127.0.0.1:0", tokenFile } } },
  });
  const { port } = await restarter.waitLog(({ msg }) => msg === "api listening");
  ask = async <T>(name: string, action?: string) => {
    const at = `/v1/workloads/Deployment/${harness.namespace}/${name}`;
    const body = action === "roll" ? { requestId: randomBytes(8).toString("hex") } : {};
    const write = {
      method: "POST",
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    };
    const response = await fetch(
      `http://127.0.0.1:${String(port)}${at}${action === undefined ? "" : `/${action}`}`,
      action === undefined ? { headers: { authorization: `Bearer ${token}` } } : write,
    );
    const answer = await response.text();
    if (!response.ok) throw new Error(answer);
    return JSON.parse(answer) as T;
  };
});

afterAll(() => harness[Symbol.asyncDispose]());

type Template = { metadata: { labels: Record<string, string>; annotations?: object } };
type Workload = AnyObject & { spec: { template: Template; nodeSelector?: object } };
type Pods = { items: (AnyObject & { spec: { nodeName?: string }; status: PodStatus })[] };
type PodStatus = { conditions?: { type: string; status: string }[] };

async function podsOf(name: string) {
  const path = `${paths.pod(harness.namespace)}?labelSelector=app%3D${name}`;
  const { items } = await harness.api.get<Pods>(path);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function uidsOf(name: string): Promise<string[]> {
  return (await podsOf(name)).map(({ metadata }) => metadata.uid ?? "");
}

const labelOf = (name: string) => `${harness.namespace}.test/${name}`;

/** Whether the node takes new pods of this workload; those that run stay. */
async function setOpen(name: string, open: boolean): Promise<void> {
  const labels = { [labelOf(name)]: open ? "open" : null };
  await harness.api.patch(`/api/v1/nodes/${NODE.metadata.name}`, { metadata: { labels } });
}

/** Has the rollout of a workload go no further than its first new pod. */
async function hold(name: string): Promise<void> {
  const { api, namespace } = harness;
  await setOpen(name, false);
  // The scheduler sees that a moment later.
  await waitFor(
    async () => {
      const probe = `probe-${name}-${randomBytes(3).toString("hex")}`;
      await api.create(paths.pod(namespace), {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: probe },
        spec: {
          nodeSelector: { [labelOf(name)]: "open" },
          containers: [{ name: "app", image: "example/app:1" }],
        },
      });
      const isScheduled = await waitFor(
        async () => {
          const pod = await api.get<Pods["items"][number]>(paths.pod(namespace, probe));
          return pod.status.conditions?.find(({ type }) => type === "PodScheduled")?.status;
        },
        { message: "the scheduler to look at a pod" },
      );
      await api.remove(paths.pod(namespace, probe));
      return isScheduled === "False";
    },
    { message: `no node to take pods of ${name}` },
  );
}

function manifest(name: string, spec: object = {}, annotations: object = {}) {
  const uses = [{ as: "envFrom", configMap: name }] as const;
  const object = deployment(harness.namespace, name, { uses, replicas: 2 });
  const { template } = object.spec;
  const podSpec = { ...template.spec, nodeSelector: { [labelOf(name)]: "open" } };
  return {
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { ...object.metadata.annotations, ...annotations },
    },
    spec: {
      ...object.spec,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      ...spec,
      template: { ...template, spec: podSpec },
    },
  };
}

const pathOfWeb = (name: string) => paths.deployment(harness.namespace, name);

/** Makes a Deployment of two pods that run the content `0` of a ConfigMap of its name. */
async function deploy(name: string, object: object = manifest(name)): Promise<void> {
  const { api, namespace } = harness;
  await setOpen(name, true);
  await harness.adopt(name, "0");
  await api.create(paths.deployment(namespace), object);
  await waitRolledOut(api, namespace, name);
  await harness.waitCurrent("Deployment", name);
}

/** Changes the content while no new pod can start, and waits until there is one that would. */
async function rollHalfway(name: string, content = "1", starts = 1): Promise<void> {
  await hold(name);
  const before = await uidsOf(name);
  await harness.change(name, content);
  await harness.waitEvent("started", name, starts);
  const isBegun = async () => {
    const pods = await podsOf(name);
    return pods.some(({ metadata, spec }) => {
      return spec.nodeName === undefined && !before.includes(metadata.uid ?? "");
    });
  };
  await waitFor(isBegun, { message: `the first new pod of ${name}` });
}

/** The write of a whole object: what `kubectl replace` and Helm's `--force` do. */
async function replace(name: string, manager = "kubectl-replace"): Promise<void> {
  await harness.api.call({ method: "PUT", path: pathOfWeb(name), body: manifest(name), manager });
}

/** Takes the marker off as an operator does that keeps the template as it wants it. */
async function strip(name: string): Promise<void> {
  await harness.api.call({
    method: "PATCH",
    path: pathOfWeb(name),
    body: [{ op: "remove", path: MARKER_PATH }],
    contentType: JSON_PATCH,
    manager: "some-operator",
  });
}

/** The request of `kubectl rollout undo --to-revision`: k8s.io/kubectl, rollback.go. */
async function undo(name: string, revision: number): Promise<void> {
  const { api, namespace } = harness;
  const key = "deployment.kubernetes.io/revision";
  const { items } = await api.get<{ items: Workload[] }>(
    `${paths.replicaSet(namespace)}?labelSelector=app%3D${name}`,
  );
  const of = items.find(({ metadata }) => metadata.annotations?.[key] === String(revision));
  const { template } = of?.spec ?? {};
  if (template === undefined) throw new Error(`${name} has no revision ${revision}`);
  const { "pod-template-hash": _, ...labels } = template.metadata.labels;
  const value = { ...template, metadata: { ...template.metadata, labels } };
  const { annotations } = (await api.get<Workload>(pathOfWeb(name))).metadata;
  await api.call({
    method: "PATCH",
    path: pathOfWeb(name),
    body: [
      { op: "replace", path: "/spec/template", value },
      { op: "replace", path: "/metadata/annotations", value: annotations },
    ],
    contentType: JSON_PATCH,
    manager: "kubectl",
  });
}

const HALFWAY = ["planned", "started", "superseded", "started", "succeeded"];
const TAKEN_OFF =
  "Rollcast's annotation was taken off the pod template in the middle of the rollout";

/** The events of a workload after the first `skip`, once it is rolled out with new pods only. */
async function finish(name: string, before: readonly string[], successes = 1): Promise<string[]> {
  await setOpen(name, true);
  await harness.waitEvent("succeeded", name, successes);
  await waitRolledOut(harness.api, harness.namespace, name);
  const left = (await uidsOf(name)).filter((uid) => before.includes(uid));
  expect(left, "pods of before the change").toEqual([]);
  return wordsOf(await harness.events(), name);
}

async function endOf(name: string, starts: number): Promise<string> {
  const { reason, message } = await harness.waitEvent("superseded", name);
  await harness.waitEvent("started", name, starts);
  return `${reason}: ${message}`;
}

test.concurrent.each([
  { name: "undone", how: "is undone", write: (name: string) => undo(name, 1) },
  { name: "replaced", how: "is replaced by its manifest", write: (name: string) => replace(name) },
  { name: "owned", how: "has an owner who takes the marker off", write: strip },
])("a Deployment that $how in mid-rollout is rolled again", async ({ name, write }) => {
  await deploy(name);
  const before = await uidsOf(name);
  await rollHalfway(name);
  await write(name);

  // A write that only takes something off leaves no trace of its field manager.
  expect(await endOf(name, 2)).toContain(`MarkerRemoved: ${TAKEN_OFF}`);
  expect(await finish(name, before)).toEqual(HALFWAY);
});

test.concurrent("a Deployment that is undone to an older marker in mid-rollout is rolled again, and its field manager is named", async () => {
  const name = "older";
  await deploy(name);
  await harness.change(name, "1");
  await harness.waitEvent("succeeded", name);
  await waitRolledOut(harness.api, harness.namespace, name);
  const before = await uidsOf(name);
  await rollHalfway(name, "2", 2);
  await undo(name, 2);

  const how = TAKEN_OFF.replace("taken off", "replaced on");
  expect(await endOf(name, 3)).toBe(`MarkerRemoved: ${how}, last written by field manager kubectl`);
  const words = await finish(name, before, 2);
  expect(words).toEqual(["planned", "started", "succeeded", ...HALFWAY]);
});

test.concurrent("an edit in mid-rollout that brings back the template of pods which still run does not count as their restart", async () => {
  const name = "edited";
  await deploy(name);
  const before = await uidsOf(name);
  await hold(name);
  const containers = [{ name: "app", image: "example/app:2" }];
  await harness.api.call({
    method: "PATCH",
    path: pathOfWeb(name),
    body: { spec: { template: { spec: { containers } } } },
    contentType: "application/strategic-merge-patch+json",
    manager: "kubectl-set",
  });
  await harness.waitRecord(name, ({ generation }) => generation === 2);
  await rollHalfway(name);
  await undo(name, 1);

  expect(await endOf(name, 2)).toContain("MarkerRemoved");
  expect(await finish(name, before)).toEqual(HALFWAY);
});

test.concurrent("a StatefulSet that is replaced by its manifest after its highest ordinal is rolled again", async () => {
  const { api, namespace } = harness;
  const name = "db";
  const set = statefulSet(namespace, name, {
    replicas: 2,
    uses: [{ as: "envFrom", configMap: name }],
  }) as Workload & { spec: { template: { spec: { nodeSelector?: object } } } };
  set.spec.template.spec.nodeSelector = { [labelOf(name)]: "open" };
  const sets = pathOf("apps/v1", namespace, "statefulsets");
  const isReady = async () => {
    const { status } = await api.get<{ status: { availableReplicas?: number } }>(`${sets}/${name}`);
    return status.availableReplicas === 2;
  };
  await setOpen(name, true);
  await harness.adopt(name, "0");
  await api.create(sets, set);
  await waitFor(isReady, { message: "both pods" });
  await harness.waitCurrent("StatefulSet", name);
  const before = await uidsOf(name);
  await rollHalfway(name);
  await api.call({ method: "PUT", path: `${sets}/${name}`, body: set, manager: "kubectl-replace" });

  expect(await endOf(name, 2)).toContain(`MarkerRemoved: ${TAKEN_OFF}`);
  await setOpen(name, true);
  await harness.waitEvent("succeeded", name);
  expect((await uidsOf(name)).filter((uid) => before.includes(uid))).toEqual([]);
  expect(wordsOf(await harness.events(), name)).toEqual(HALFWAY);
});

type Detail = { next: { do: string; reason?: string; message?: string } };

test.concurrent("an operator that takes every marker off at once is given up after three, until a request or other content", async () => {
  const name = "looped";
  await deploy(name);
  const before = await uidsOf(name);
  await hold(name);
  const stop = new AbortController();
  const stripping = (async () => {
    while (!stop.signal.aborted) {
      const { spec } = await harness.api.get<Workload>(pathOfWeb(name));
      const { annotations = {} } = spec.template.metadata;
      if (MARKER in annotations) await strip(name);
    }
  })();
  await harness.change(name, "1");
  const { reason, message } = await harness.waitEvent("deferred", name);
  stop.abort();
  await stripping;

  expect(`${reason}: ${message}`).toContain(`MarkerStripped: 3 times in a row: ${TAKEN_OFF}`);
  const thrice = Array.from({ length: 3 }, () => ["started", "superseded"]).flat();
  expect(wordsOf(await harness.events(), name)).toEqual(["planned", ...thrice, "deferred"]);
  const { next } = await ask<Detail>(name);
  expect(next).toEqual({ do: "wait", reason, message });

  await ask(name, "roll");
  await harness.waitEvent("started", name, 4);
  await strip(name);
  await harness.waitEvent("deferred", name, 2);
  await harness.change(name, "2");
  await harness.waitEvent("started", name, 5);
  const words = await finish(name, before);
  expect(words.slice(8)).toEqual([
    "started",
    "superseded",
    "deferred",
    "planned",
    "started",
    "succeeded",
  ]);
});

test.concurrent("at rest, a write that takes the marker off is the one restart for the content before it", async () => {
  const { api, namespace } = harness;
  const name = "rest";
  // Whatever is not made current by others waits for a request.
  const pause = { "deployment.reloader.stakater.com/pause-period": "1h" };
  const object = manifest(name, {}, pause);
  /** The generation that the write made: it takes off the annotation of the revision too. */
  const put = async () => {
    const write = { method: "PUT", path: pathOfWeb(name), body: object, manager: "helm" } as const;
    return (await api.call(write)).metadata.generation;
  };
  const roll = async (successes: number) => {
    await ask(name, "roll");
    await harness.waitEvent("succeeded", name, successes);
    await waitRolledOut(api, namespace, name);
  };
  const putMarkerOff = async () => {
    const generation = await put();
    await harness.waitRecord(name, (record) => {
      return record.phase === "current" && record.generation === generation;
    });
    await waitRolledOut(api, namespace, name);
  };
  await deploy(name, object);
  await harness.change(name, "1");
  await harness.waitEvent("deferred", name, 1);
  await roll(1);
  const first = await uidsOf(name);

  await harness.change(name, "2");
  await harness.waitEvent("deferred", name, 2);
  await putMarkerOff();
  expect((await uidsOf(name)).filter((uid) => first.includes(uid))).toEqual([]);

  // There is no marker now that it could take off.
  await harness.change(name, "3");
  await harness.waitEvent("deferred", name, 3);
  await put();
  await roll(2);

  await putMarkerOff();
  const words = wordsOf(await harness.events(), name);
  expect(words.filter((word) => word === "started")).toHaveLength(2);
  // One template to begin with, one for each content, and that of the last write.
  const { annotations } = (await harness.get(name)).metadata;
  expect(annotations?.["deployment.kubernetes.io/revision"]).toBe("5");
});

test.concurrent("an annotation that admission takes off is told once, however often it is tried", async () => {
  const { api, namespace } = harness;
  const name = "stripped";
  await deploy(name);
  const before = await uidsOf(name);
  const annotations = "object.spec.template.metadata.annotations";
  const is = `object.metadata.name == '${name}' && has(${annotations}) && '${MARKER}' in ${annotations}`;
  const patch = `[JSONPatch{op: "remove", path: "${MARKER_PATH}"}]`;
  await using _policy = await addPolicy(api, {
    kind: "MutatingAdmissionPolicy",
    name: `strip-${namespace}`,
    namespace,
    operations: ["UPDATE"],
    spec: {
      reinvocationPolicy: "Never",
      matchConditions: [{ name: "is", expression: is }],
      mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: patch } }],
    },
  });
  const isInForce = async () => {
    const { spec } = await tryAnnotations<Workload>(api, namespace, name, {
      [MARKER]: "x",
      a: "x",
    });
    return !(MARKER in (spec.template.metadata.annotations ?? {}));
  };
  await waitFor(isInForce, { message: "the policy to be in force" });
  await harness.change(name, "1");
  const { reason, message } = await harness.waitEvent("failed", name);
  expect(reason).toBe("MarkerNotKept");
  expect(message).toContain("an admission policy removes it");
  await ask(name, "retry");
  await harness.waitRecord(name, ({ failure }) => failure?.attempts === 2);

  expect((await harness.get(name)).metadata.generation).toBe(1);
  expect((await uidsOf(name)).toSorted()).toEqual(before.toSorted());
  expect(wordsOf(await harness.events(), name)).toEqual(["planned", "failed"]);
});

/** A chart whose template of pods has `annotations:` without a value, as many have by a `with`. */
async function writeChart(name: string): Promise<string> {
  const dir = join(harness.dir, name);
  const object = manifest(name, {}, { note: "{{ .Values.note }}" });
  const { template } = object.spec;
  const metadata = { ...template.metadata, annotations: null };
  const spec = { ...object.spec, template: { ...template, metadata } };
  await mkdir(join(dir, "templates"), { recursive: true });
  await writeFile(join(dir, "Chart.yaml"), `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`);
  await writeFile(join(dir, "templates", "web.yaml"), JSON.stringify({ ...object, spec }));
  return dir;
}

test.concurrent("a chart that writes annotations: null takes the marker off with each upgrade and rollback: it is rolled again, and at rest it is not", async () => {
  const { api, namespace, cluster } = harness;
  const name = "charted";
  const chart = await writeChart(name);
  const where = [`--kubeconfig=${cluster.kubeconfig}`, `--namespace=${namespace}`];
  const note = (value: string) => `--set-string=note=${value}`;
  await setOpen(name, true);
  await harness.adopt(name, "0");
  await helm("install", name, chart, note("1"), ...where);
  await waitRolledOut(api, namespace, name);
  await harness.waitCurrent("Deployment", name);
  const before = await uidsOf(name);
  await rollHalfway(name);
  await helm("upgrade", name, chart, note("2"), ...where);
  expect(await endOf(name, 2)).toBe(
    `MarkerRemoved: ${TAKEN_OFF}, last written by field manager helm`,
  );
  await helm("rollback", name, "1", ...where);
  await harness.waitEvent("started", name, 3);
  const words = await finish(name, before);
  const again = ["started", "superseded"];
  expect(words).toEqual(["planned", ...again, ...again, "started", "succeeded"]);

  await helm("upgrade", name, chart, "--force", note("3"), ...where);
  const { generation } = (await harness.get(name)).metadata;
  await harness.waitRecord(name, (record) => {
    return record.phase === "current" && record.generation === generation;
  });
  await waitRolledOut(api, namespace, name);
  expect((await harness.get(name)).metadata.generation).toBe(generation);
  expect(wordsOf(await harness.events(), name)).toEqual(words);
});

test("each rollout of these has one beginning and one end", async () => {
  expect(faultsOf(await harness.events())).toEqual([]);
});
