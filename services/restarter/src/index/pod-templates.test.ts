import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { argoRollout } from "@rollcast/kube/workloads/argo-rollout";
import { expect, test } from "vitest";
import { rulesOf } from "../../test/given.ts";
import { createProject } from "./pod-templates.ts";

const AUTO = { "rollcast.dev/auto": "true" };

function rollout(
  ref: object,
  generation: number,
  annotations: Record<string, string> = AUTO,
  currentPodHash = "a",
) {
  return {
    metadata: { name: "r", namespace: "shop", uid: "u", resourceVersion: "1", annotations },
    spec: { workloadRef: ref },
    status: { workloadObservedGeneration: String(generation), currentPodHash },
  } as unknown as KubeObject;
}

/** Reads of templates that use the ConfigMap `now` names, or fail with the error it is. */
function reading(now: { configMap: string | KubeError }) {
  const paths: string[] = [];
  const request = ({ path }: { path: string }) => {
    paths.push(path);
    if (now.configMap instanceof KubeError) return Promise.reject(now.configMap);
    const containers = [{ name: "c", envFrom: [{ configMapRef: { name: now.configMap } }] }];
    const template = { spec: { containers } };
    return Promise.resolve(path.includes("/replicasets/") ? { spec: { template } } : { template });
  };
  const project = createProject(
    { request } as Parameters<typeof createProject>[0],
    rulesOf(),
    new AbortController().signal,
  );
  return {
    paths,
    project: (object: KubeObject) => Promise.resolve(project(argoRollout, object)),
  };
}

const SET = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "tpl" };
const POD_TEMPLATE = { apiVersion: "v1", kind: "PodTemplate", name: "tpl" };

test.each([
  { ref: SET, path: "/apis/apps/v1/namespaces/shop/replicasets/tpl" },
  { ref: POD_TEMPLATE, path: "/api/v1/namespaces/shop/podtemplates/tpl" },
])("a Rollout uses what the template of $path uses, and is restarted for it", async (row) => {
  const { project, paths } = reading({ configMap: "cfg" });
  expect(await project(rollout(row.ref, 1))).toMatchObject({
    references: [{ kind: "ConfigMap", name: "cfg" }],
    mayRoll: true,
    rollBy: "restart",
    workloadRef: undefined,
    faults: [],
  });
  expect(paths).toEqual([row.path]);
});

test("a template is read once for each generation that the controller has observed, and an edit shows", async () => {
  const now = { configMap: "cfg" };
  const { project, paths } = reading(now);
  const first = await project(rollout(SET, 1));
  now.configMap = "other";
  expect((await project(rollout(SET, 1))).references[0]?.name).toBe("cfg");
  const edited = await project(rollout(SET, 2));
  expect(edited.references[0]?.name).toBe("other");
  expect(edited.templateHash).not.toBe(first.templateHash);
  expect(paths).toHaveLength(2);
});

test("a template that is made again is read, though its generation is that of the one before", async () => {
  const now = { configMap: "cfg" };
  const { project } = reading(now);
  await project(rollout(POD_TEMPLATE, 1));
  now.configMap = "other";
  const again = await project(rollout(POD_TEMPLATE, 1, AUTO, "b"));
  expect(again.references[0]?.name).toBe("other");
});

test.each([404, 403, 400])(
  "a template that cannot be read (%d) is a fault, named sources count",
  async (status) => {
    const now: { configMap: string | KubeError } = { configMap: new KubeError(status, "", "") };
    const { project } = reading(now);
    const named = { "configmap.rollcast.dev/reload": "cfg" };
    const unread = await project(rollout(SET, 1, named));
    expect(unread).toMatchObject({ mayRoll: true, references: [] });
    expect(unread.faults).toMatchObject([
      {
        annotation: "spec.workloadRef",
        message: expect.stringMatching(/^"ReplicaSet tpl" (?:does not exist|cannot be read): only/),
      },
    ]);
    now.configMap = "cfg";
    expect((await project(rollout(SET, 1, named))).faults).toEqual([]);
  },
);

test("a template that is gone counts as it was: its pods run on", async () => {
  const now: { configMap: string | KubeError } = { configMap: "cfg" };
  const { project } = reading(now);
  await project(rollout(SET, 1));
  now.configMap = new KubeError(404, "", "");
  expect((await project(rollout(SET, 2))).references[0]?.name).toBe("cfg");
});

test("without an answer nothing is said of the template", async () => {
  const { project } = reading({ configMap: new KubeError(503, "", "") });
  await expect(project(rollout(SET, 1))).rejects.toThrow(KubeError);
});

test("a new revision that is asked for cannot be made, which is a fault", async () => {
  const { project } = reading({ configMap: "cfg" });
  const annotations = { ...AUTO, "rollcast.dev/rollout-strategy": "rollout" };
  expect((await project(rollout(SET, 1, annotations))).faults).toEqual([
    {
      annotation: "rollcast.dev/rollout-strategy",
      message: '"rollout" cannot be done with a PodTemplate or ReplicaSet, and counts as restart',
    },
  ]);
});
