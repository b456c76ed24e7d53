import { guardedAnnotations } from "@rollcast/kube/patch";
import { deployment as deploymentKind } from "@rollcast/kube/workloads/deployment";
import { expect, test } from "vitest";
import { createObjectStore } from "./object-store.ts";
import type { ObjectStore } from "./object-store.ts";
import type { Draft, Fields, KubeObject, Ref } from "./object.ts";

const NOW = Date.parse("2026-03-01T10:00:00.700Z");

function storeAt(now = NOW): ObjectStore & { clock: { now: number } } {
  const clock = { now };
  return { ...createObjectStore({ now: () => clock.now }), clock };
}

function draft(kind: string, spec: Fields = {}, metadata: Draft["metadata"] = {}): Draft {
  return {
    apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
    kind,
    metadata: { name: "web", namespace: "shop", ...metadata },
    spec: {
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "app" }] } },
      ...spec,
    },
  };
}

const ref = (kind: string): Ref => ({ kind, namespace: "shop", name: "web" });
const by = { manager: "owner" };

function refusal(write: () => unknown): unknown {
  try {
    write();
  } catch (err) {
    return err;
  }
  return undefined;
}

test("a created object gets what only the server writes", () => {
  const store = storeAt();
  const { metadata, status } = store.create(draft("Deployment"), by);

  expect(metadata).toMatchObject({
    uid: "00000000-0000-4000-8000-000000000001",
    resourceVersion: "1",
    generation: 1,
    creationTimestamp: "2026-03-01T10:00:00Z",
  });
  expect(status).toEqual({});
  expect(store.events().map(({ type }) => type)).toEqual(["ADDED"]);
});

const change: Record<string, (object: KubeObject) => Draft> = {
  spec: (object) => ({ ...object, spec: { ...object.spec, minReadySeconds: 5 } }),
  annotation: (object) => ({
    ...object,
    metadata: { ...object.metadata, annotations: { note: "x" } },
  }),
  label: (object) => ({ ...object, metadata: { ...object.metadata, labels: { note: "x" } } }),
};

test.each([
  ["Deployment", "spec", 2],
  ["Deployment", "annotation", 2],
  ["Deployment", "label", 1],
  ["StatefulSet", "spec", 2],
  ["StatefulSet", "annotation", 1],
  ["DaemonSet", "spec", 2],
  ["DaemonSet", "annotation", 1],
  ["ReplicaSet", "spec", 2],
  ["Rollout", "spec", 2],
  ["Rollout", "annotation", 1],
  ["CronJob", "spec", 2],
])("%s: another %s gives generation %i", (kind, part, generation) => {
  const store = storeAt();
  const object = store.create(draft(kind), by);
  const after = store.update((change[part] as (typeof change)[string])(object), by);

  expect(after.metadata.generation).toBe(generation);
  expect(after.metadata.resourceVersion).toBe("2");
});

test("a write that changes nothing is no event", () => {
  const store = storeAt();
  const object = store.create(draft("Deployment"), by);
  store.clock.now += 5_000;

  expect(store.update(object, { manager: "another" })).toBe(object);
  expect(store.events()).toHaveLength(1);
});

test("a status is written on its own, and no spec with it", () => {
  const store = storeAt();
  const object = store.create(draft("Deployment", { replicas: 1 }), by);
  const status = { observedGeneration: 1 };
  const both = { ...object, spec: { ...object.spec, replicas: 9 }, status };

  expect(store.update(both, { manager: "c", subresource: "status" })).toMatchObject({
    spec: { replicas: 1 },
    status,
    metadata: { generation: 1 },
  });
  const stale = refusal(() => store.update(both, by));
  expect(stale).toMatchObject({ code: 409, reason: "Conflict" });
  const { resourceVersion: _, ...metadata } = object.metadata;
  expect(store.update({ ...both, metadata, status: {} }, by)).toMatchObject({
    spec: { replicas: 9 },
    status,
    metadata: { generation: 2 },
  });
});

test("Rollcast's patch is applied to the object and the generation it was decided on, and to no other", () => {
  const store = storeAt();
  const { uid } = store.create(draft("Deployment"), by).metadata;
  const facts = { uid, generation: 1, hasTemplateMetadata: true, hasTemplateAnnotations: false };
  const other = guardedAnnotations(deploymentKind, { ...facts, uid: "other" }, { annotations: {} });
  expect(
    refusal(() => store.patch(ref("Deployment"), other, { type: "json", manager: "rollcast" })),
  ).toMatchObject({ code: 422, reason: "Invalid" });
  const patch = guardedAnnotations(deploymentKind, facts, { annotations: { "a/b": "1" } });
  const patched = store.patch(ref("Deployment"), patch, { type: "json", manager: "rollcast" });
  const again = () => store.patch(ref("Deployment"), patch, { type: "json", manager: "rollcast" });

  expect(patched.spec?.template).toMatchObject({ metadata: { annotations: { "a/b": "1" } } });
  expect(patched.metadata.generation).toBe(2);
  expect(refusal(again)).toMatchObject({
    code: 422,
    reason: "Invalid",
    body: { message: "the server rejected our request due to an error in our request" },
  });
});

test("managed fields say who last set a field, and when; who removes one leaves no trace", () => {
  const store = storeAt();
  const set = (value: string | null, manager: string) =>
    store.patch(
      ref("Deployment"),
      { spec: { template: { metadata: { annotations: { mark: value } } } } },
      { type: "merge", manager },
    );
  const owners = (object: KubeObject) =>
    (object.metadata.managedFields ?? [])
      .filter(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes("f:mark"))
      .map(({ manager, time }) => `${manager} ${time}`);
  store.create(draft("Deployment"), by);
  store.clock.now += 10_000;
  expect(owners(set("1", "rollcast"))).toEqual(["rollcast 2026-03-01T10:00:10Z"]);
  store.clock.now += 10_000;
  expect(owners(set("2", "kubectl-edit"))).toEqual(["kubectl-edit 2026-03-01T10:00:20Z"]);
  store.clock.now += 10_000;
  const removed = set(null, "somebody");
  expect(owners(removed)).toEqual([]);
  expect(removed.spec?.template).toMatchObject({ metadata: { labels: { app: "web" } } });
  expect(removed.metadata.managedFields?.map(({ manager }) => manager)).toEqual(["owner"]);
});

test("a server-side apply removes what it applied before, and takes no field without force", () => {
  const store = storeAt();
  const config = (annotations: Record<string, string>): Draft => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop" },
    spec: { template: { metadata: { annotations } } },
  });
  const marker = (object: KubeObject | undefined) => object?.spec?.template;
  store.apply(config({ a: "1", b: "1" }), { manager: "argocd" });
  store.patch(
    ref("Deployment"),
    { spec: { template: { metadata: { annotations: { mark: "1" } } } } },
    { type: "merge", manager: "rollcast" },
  );
  expect(marker(store.apply(config({ a: "2" }), { manager: "argocd" }))).toMatchObject({
    metadata: { annotations: { a: "2", mark: "1" } },
  });
  expect(refusal(() => store.apply(config({ mark: "2" }), { manager: "flux" }))).toMatchObject({
    code: 409,
    reason: "Conflict",
  });
  const forced = store.apply(config({ mark: "2" }), { manager: "flux", force: true });
  expect(marker(forced)).toMatchObject({ metadata: { annotations: { a: "2", mark: "2" } } });
});

test.each([
  ["StatefulSet", "serviceName", "spec.serviceName"],
  ["StatefulSet", "selector", "spec.selector"],
  ["Deployment", "selector", "spec.selector"],
  ["Job", "template", "spec.template"],
  ["Job", "completions", "spec.completions"],
])("%s: another %s is refused", (kind, field, named) => {
  const store = storeAt();
  const object = store.create(draft(kind), by);
  const write = () =>
    store.update({ ...object, spec: { ...(object.spec as Fields), [field]: { x: 1 } } }, by);

  expect(refusal(write)).toMatchObject({
    code: 422,
    reason: "Invalid",
    message: expect.stringContaining(named),
  });
});

test("a Job that is deleted without saying how keeps its pods, and waits for the finalizer", () => {
  const store = storeAt();
  store.create(draft("Job"), by);
  const kept = store.remove(ref("Job"));

  expect(kept?.metadata).toMatchObject({
    finalizers: ["orphan"],
    deletionTimestamp: "2026-03-01T10:00:00Z",
    generation: 2,
  });
  store.update({ ...(kept as KubeObject), metadata: { ...kept?.metadata, finalizers: [] } }, by);
  expect(store.get(ref("Job"))).toBeUndefined();
  expect(store.events().map(({ type }) => type)).toEqual(["ADDED", "MODIFIED", "DELETED"]);
});

test("a deletion is bound to the object it was meant for", () => {
  const store = storeAt();
  const { metadata } = store.create(draft("Job"), by);
  const other = () => store.remove(ref("Job"), { uid: "another", propagation: "Background" });

  expect(refusal(other)).toMatchObject({ code: 409, reason: "Conflict" });
  expect(store.remove(ref("Job"), { uid: metadata.uid, propagation: "Background" })).toBe(
    undefined,
  );
  expect(refusal(other)).toMatchObject({
    code: 404,
    body: { reason: "NotFound", message: 'jobs.batch "web" not found' },
  });
  expect(store.create(draft("Job"), by).metadata.uid).not.toBe(metadata.uid);
});

test.each([
  { name: "not scheduled", spec: {}, gone: true },
  { name: "running", spec: { nodeName: "node-1" }, gone: false },
  {
    name: "without a grace period",
    spec: { nodeName: "node-1", terminationGracePeriodSeconds: 0 },
    gone: true,
  },
])("a pod that is $name is gone at once: $gone", ({ spec, gone }) => {
  const store = storeAt();
  store.create(draft("Pod", spec), by);
  store.remove(ref("Pod"));
  expect(store.get(ref("Pod")) === undefined).toBe(gone);

  if (!gone) store.remove(ref("Pod"), { gracePeriodSeconds: 0 });
  expect(store.get(ref("Pod"))).toBeUndefined();
});

test("admission mutates or refuses", () => {
  const store = storeAt();
  const object = store.create(draft("Deployment", { replicas: 1 }), by);
  store.admission.push(({ object: given, manager }) =>
    manager === "rollcast"
      ? { ...given, spec: { ...(given.spec as Fields), replicas: 3 } }
      : undefined,
  );
  expect(store.update(change.spec?.(object) as Draft, { manager: "rollcast" })).toMatchObject({
    spec: { replicas: 3, minReadySeconds: 5 },
  });
});

test("a fork goes its own way, and the same writes give the same text", () => {
  const store = storeAt();
  const object = store.create(draft("Deployment"), by);
  const [left, right] = [store.fork(), store.fork({ log: false })];
  for (const fork of [left, right]) fork.update(change.spec?.(object) as Draft, by);

  expect(left.snapshot()).toBe(right.snapshot());
  expect(left.snapshot()).not.toBe(store.snapshot());
  expect(right.events()).toEqual([]);
});
