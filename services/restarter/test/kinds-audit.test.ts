import { readFile } from "node:fs/promises";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { paths } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { expect, test } from "vitest";
import { startRestarterHarness } from "./harness.ts";
import { cronJob, daemonSet, pathOf, statefulSet } from "@rollcast/testkit/shapes";

/** What the audit log records of a request. */
type Audited = {
  verb: string;
  user: { username: string };
  objectRef?: { resource: string; name?: string };
};

async function requests(file: string, from: number): Promise<Audited[]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  return lines.slice(from).map((line) => JSON.parse(line) as Audited);
}

async function mayDoAll(api: Api, user: string): Promise<void> {
  await api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "all" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "User", name: user, apiGroup: "rbac.authorization.k8s.io" }],
  });
}

test("a change costs one PATCH for each workload that is rolled by one, and no GET or LIST", async () => {
  await using harness = await startRestarterHarness({
    cluster: { audit: "requests" },
    user: "restarter",
  });
  const { api, namespace } = harness;
  const log = harness.cluster.auditLog ?? "";
  await mayDoAll(api, "restarter");
  const marked = {
    annotations: { "rollcast.dev/auto": "true", "rollcast.dev/cronjob": "template" },
  };
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  const makers: Record<string, [path: string, make: (name: string) => object]> = {
    Deployment: [paths.deployment(namespace), (name) => deployment(namespace, name, { uses })],
    StatefulSet: [
      pathOf("apps/v1", namespace, "statefulsets"),
      (name) => statefulSet(namespace, name),
    ],
    DaemonSet: [pathOf("apps/v1", namespace, "daemonsets"), (name) => daemonSet(namespace, name)],
    CronJob: [
      pathOf("batch/v1", namespace, "cronjobs"),
      (name) => cronJob(namespace, name, marked),
    ],
  };
  await harness.adopt("cfg", "0");
  const names = Object.keys(makers).flatMap((kind) =>
    [0, 1, 2].map((i) => ({ kind, name: `${kind.toLowerCase()}-${i}` })),
  );
  for (const { kind, name } of names) {
    const [path, make] = makers[kind] ?? ["", () => ({})];
    await api.create(path, make(name));
  }
  await harness.start();
  for (const { kind, name } of names) await harness.waitCurrent(kind, name);
  const before = (await requests(log, 0)).length;

  await harness.change("cfg", "1");
  for (const { name } of names) await harness.waitEvent("succeeded", name);
  const own = (await requests(log, before)).filter(({ user }) => user.username === "restarter");
  const requested = own.flatMap(({ verb, objectRef }) =>
    objectRef === undefined ? [] : [`${verb} ${objectRef.resource}/${objectRef.name ?? ""}`],
  );
  const patches = requested.filter((request) => request.startsWith("patch "));
  const expected = names.map(({ kind, name }) => `patch ${kind.toLowerCase()}s/${name}`);
  expect(patches.toSorted()).toEqual(expected.toSorted());
  expect(requested.filter((request) => /^(get|list) /.test(request))).toEqual([]);
  const objects = await api.get<{ items: AnyObject[] }>(paths.deployment(namespace));
  expect(objects.items.map(({ metadata }) => metadata.generation)).toEqual([2, 2, 2]);
});
