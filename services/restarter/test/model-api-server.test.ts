import { guardedAnnotations } from "@rollcast/kube/patch";
import { deployment as kind } from "@rollcast/kube/workloads/deployment";
import { createNamespace } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { expect, test } from "vitest";
import { outcomeInModel, outcomeInCluster } from "./model/against/api-request.ts";
import type { ApiRequest } from "./model/against/api-request.ts";
import { createObjectStore } from "./model/cluster/object-store.ts";

const template = (annotations: Record<string, string> = {}) => ({
  metadata: { labels: { app: "web" }, annotations },
  spec: { containers: [{ name: "app", image: "example/app:1" }] },
});

const workload = (name: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    replicas: 0,
    paused: true,
    selector: { matchLabels: { app: "web" } },
    template: template(),
  },
});

const job = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "web" },
  spec: { suspend: true, template: { spec: { ...template().spec, restartPolicy: "Never" } } },
};

const config = (annotations: Record<string, string>) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: { template: { metadata: { annotations } } },
});

const facts = (generation: number, hasTemplateAnnotations: boolean) => ({
  uid: "",
  generation,
  hasTemplateMetadata: true,
  hasTemplateAnnotations,
});
/** Without the guard of the uid, which each API server chooses. */
const marked = (generation: number, value: string, hasAnnotations = true) =>
  guardedAnnotations(kind, facts(generation, hasAnnotations), {
    annotations: { "rollcast.dev/marker": value },
  }).filter(({ path }) => path !== "/metadata/uid");
const ref = { kind: "Deployment", name: "web" };
const merge = (manager: string, patch: Record<string, unknown>) =>
  ({ do: "merge", ref, manager, patch }) as const;

const REQUESTS: readonly ApiRequest[] = [
  { do: "create", object: workload("web"), manager: "owner" },
  { do: "create", object: workload("web"), manager: "owner" },
  { do: "json", ref, manager: "rollcast", patch: marked(1, "a", false) },
  { do: "json", ref, manager: "rollcast", patch: marked(1, "b") },
  merge("owner", { spec: { replicas: 0 } }),
  merge("owner", { metadata: { labels: { team: "x" } } }),
  merge("owner", { metadata: { annotations: { note: "x" } } }),
  merge("editor", { spec: { template: { metadata: { annotations: { by: "hand" } } } } }),
  { do: "apply", object: config({ "rollcast.dev/marker": "c" }), manager: "argocd" },
  { do: "apply", object: config({ own: "1" }), manager: "argocd" },
  { do: "apply", object: config({ "rollcast.dev/marker": "c" }), manager: "argocd", force: true },
  { do: "json", ref, manager: "rollcast", patch: marked(7, "d") },
  merge("editor", {
    spec: { template: { metadata: { annotations: { "rollcast.dev/marker": null } } } },
  }),
  merge("editor", { spec: { selector: { matchLabels: { app: "other" } } } }),
  { do: "stale update", ref, manager: "owner" },
  { do: "remove", ref, uid: "00000000-0000-4000-8000-ffffffffffff" },
  { do: "remove", ref },
  { do: "remove", ref },
  { do: "json", ref, manager: "rollcast", patch: marked(1, "e") },
  { do: "create", object: workload("web"), manager: "owner" },
  { do: "create", object: job, manager: "owner" },
  {
    do: "merge",
    ref: { kind: "Job", name: "web" },
    manager: "owner",
    patch: { spec: { completions: 2 } },
  },
  {
    do: "merge",
    ref: { kind: "Job", name: "web" },
    manager: "owner",
    patch: { spec: { suspend: false } },
  },
  { do: "remove", ref: { kind: "Job", name: "web" }, propagation: "Background" },
];

test("the model's API server answers as the real one", async () => {
  const cluster = useCluster();
  await using namespace = await createNamespace(cluster.api, "api-model");
  const store = createObjectStore({ now: () => Date.now() });
  const real: unknown[] = [];
  const model: unknown[] = [];
  for (const request of REQUESTS) {
    real.push(await outcomeInCluster(cluster.api, namespace.name, request));
    model.push(outcomeInModel(store, namespace.name, request));
  }

  expect(model).toEqual(real);
});
