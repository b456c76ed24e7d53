import type { AnyObject } from "@rollcast/testkit/test-api";
import { startCluster } from "@rollcast/testkit/cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startWatcherHarness, changesOf } from "./harness.ts";
import type { WatcherHarness } from "./harness.ts";

const GROUP = "secrets-store.csi.x-k8s.io";

/**
 * The driver's resources, without its own schema:
 * https://github.com/kubernetes-sigs/secrets-store-csi-driver
 */
function crd(kind: string, plural: string) {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          },
        },
      ],
    },
  };
}

// A cluster of its own: the driver's resources are cluster-wide, and other tests run without them.
const cluster = await startCluster({ controllers: false });
const { api } = cluster;
afterAll(() => cluster[Symbol.asyncDispose]());

beforeAll(async () => {
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  for (const [kind, plural] of [
    ["SecretProviderClass", "secretproviderclasses"],
    ["SecretProviderClassPodStatus", "secretproviderclasspodstatuses"],
  ] as const) {
    await api.create(path, crd(kind, plural));
    const served = () => api.get(`/apis/${GROUP}/v1/namespaces/default/${plural}`);
    await waitFor(served, { message: `${plural} to be served` });
  }
});

const at = (namespace: string, plural: string, name = "") =>
  `/apis/${GROUP}/v1/namespaces/${namespace}/${plural}${name === "" ? "" : `/${name}`}`;
const classes = (namespace: string, name = "") => at(namespace, "secretproviderclasses", name);
const statuses = (namespace: string, name = "") =>
  at(namespace, "secretproviderclasspodstatuses", name);

function createClass(namespace: string, name: string, annotations = {}): Promise<AnyObject> {
  return api.create(classes(namespace), {
    apiVersion: `${GROUP}/v1`,
    kind: "SecretProviderClass",
    metadata: { name, annotations },
    spec: { provider: "vault" },
  });
}

const statusOf = (className: string, versions: Record<string, string>) => ({
  secretProviderClassName: className,
  mounted: true,
  objects: Object.entries(versions).map(([id, version]) => ({ id, version })),
});

function mount(
  namespace: string,
  pod: string,
  className: string,
  versions: Record<string, string>,
) {
  return api.create(statuses(namespace), {
    apiVersion: `${GROUP}/v1`,
    kind: "SecretProviderClassPodStatus",
    metadata: { name: `${pod}-${className}` },
    status: statusOf(className, versions),
  });
}

function rotate(
  namespace: string,
  pod: string,
  className: string,
  versions: Record<string, string>,
) {
  return api.patch(
    statuses(namespace, `${pod}-${className}`),
    { status: statusOf(className, versions) },
    "secrets-store-csi-driver",
  );
}

const recordOf = (harness: WatcherHarness, name: string) =>
  harness.record("SecretProviderClass", harness.namespace, name);
const historyOf = async (harness: WatcherHarness, name: string) =>
  changesOf(await harness.events(), name);

test("a rotation that many pods show is one change; a new pod is none", async () => {
  await using harness = await startWatcherHarness({ cluster });
  const { namespace } = harness;
  await createClass(namespace, "vault", { "reloader.stakater.com/match": "true" });
  for (const pod of ["a", "b", "c"]) await mount(namespace, pod, "vault", { db: "v1", api: "v1" });
  await using _watcher = await harness.startInProcess();
  expect((await recordOf(harness, "vault"))?.change).toBe("none");
  expect((await recordOf(harness, "vault"))?.annotations).toEqual({
    "reloader.stakater.com/match": "true",
  });

  for (const pod of ["a", "b", "c"]) await rotate(namespace, pod, "vault", { db: "v2", api: "v1" });
  await waitFor(async () => (await historyOf(harness, "vault")).length === 1);
  await mount(namespace, "d", "vault", { db: "v2", api: "v1" });
  // A provider of short-lived credentials gives each pod a version of its own, which must not roll
  // the others forever.
  await mount(namespace, "e", "vault", { db: "own", api: "v1" });
  await rotate(namespace, "a", "vault", { db: "v3", api: "v1" });
  await waitFor(async () => (await historyOf(harness, "vault")).length === 2);

  const [first, second] = await harness.events();
  expect(first?.data).toMatchObject({
    kind: "SecretProviderClass",
    name: "vault",
    changedKeys: { added: [], changed: ["db"], removed: [] },
    changedBy: { manager: "secrets-store-csi-driver" },
    reason: "DataChanged",
  });
  expect(second?.data.changedKeys.changed).toEqual(["db"]);
});

test("a rotation while no watcher ran is found, a pod that went is nothing", async () => {
  await using harness = await startWatcherHarness({ cluster });
  const { namespace } = harness;
  await createClass(namespace, "vault");
  for (const pod of ["a", "b"]) await mount(namespace, pod, "vault", { db: "v1" });
  {
    await using _watcher = await harness.startInProcess();
  }
  await rotate(namespace, "a", "vault", { db: "v2" });
  await api.remove(statuses(namespace, "b-vault"));
  await mount(namespace, "c", "vault", { db: "v2" });
  {
    await using _watcher = await harness.startInProcess();
    await waitFor(async () => (await historyOf(harness, "vault")).length === 1);
  }
  await using _watcher = await harness.startInProcess();

  expect(await historyOf(harness, "vault")).toEqual(["changed DataChanged"]);
});

test("a class that is deleted, and comes back", async () => {
  await using harness = await startWatcherHarness({ cluster });
  const { namespace } = harness;
  await createClass(namespace, "vault");
  await mount(namespace, "a", "vault", { db: "v1" });
  await using _watcher = await harness.startInProcess();
  await waitFor(() => recordOf(harness, "vault"));

  await api.remove(classes(namespace, "vault"));
  await waitFor(async () => (await historyOf(harness, "vault")).includes("deleted Deleted"));
  await createClass(namespace, "vault");
  await waitFor(async () => (await historyOf(harness, "vault")).includes("created Recreated"));
  await api.patch(classes(namespace, "vault"), {
    metadata: { annotations: { "rollcast.dev/ignore": "true" } },
  });
  await waitFor(async () => (await recordOf(harness, "vault"))?.annotations["rollcast.dev/ignore"]);

  expect(await historyOf(harness, "vault")).toEqual(["deleted Deleted", "created Recreated"]);
});

test("classes of a namespace that comes into scope are adopted", async () => {
  await using harness = await startWatcherHarness({ cluster });
  const { namespace } = harness;
  await createClass(namespace, "vault");
  await mount(namespace, "a", "vault", { db: "v1" });
  await using _watcher = await harness.startInProcess({
    scope: { namespaceSelector: `${namespace}=x` },
  });
  expect(await recordOf(harness, "vault")).toBeUndefined();

  await api.patch(`/api/v1/namespaces/${namespace}`, {
    metadata: { labels: { [namespace]: "x" } },
  });
  await waitFor(() => recordOf(harness, "vault"));
  await rotate(namespace, "a", "vault", { db: "v2" });
  await waitFor(async () => (await historyOf(harness, "vault")).length > 0);

  expect(await historyOf(harness, "vault")).toEqual(["changed DataChanged"]);
});

test("a namespace comes into scope though its classes cannot be listed, which are later", async () => {
  await using harness = await startWatcherHarness({ cluster, faultProxy: true });
  const { namespace, proxy } = harness;
  await createClass(namespace, "vault");
  await mount(namespace, "a", "vault", { db: "v1" });
  const cfg = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "cfg" }, data: { a: "1" } };
  await api.create(`/api/v1/namespaces/${namespace}/configmaps`, cfg);
  await using watcher = await harness.startInProcess({
    scope: { namespaceSelector: `${namespace}=x` },
  });
  proxy.rules([{ path: /secretproviderclass/, fault: { do: "answer", status: 503 } }]);
  await api.patch(`/api/v1/namespaces/${namespace}`, {
    metadata: { labels: { [namespace]: "x" } },
  });
  await waitFor(() => harness.record("ConfigMap", namespace, "cfg"));
  expect(watcher.ready()).toBeUndefined();
  await api.patch(`/api/v1/namespaces/${namespace}/configmaps/cfg`, { data: { a: "2" } });
  const isChanged = (name: string) => async () =>
    (await historyOf(harness, name)).includes("changed DataChanged");
  await waitFor(isChanged("cfg"));

  proxy.rules([]);
  await waitFor(() => recordOf(harness, "vault"));
  await rotate(namespace, "a", "vault", { db: "v2" });
  await waitFor(isChanged("vault"));
});
