import type { Api } from "@rollcast/testkit/test-api";
import { expect, test } from "vitest";
import { startRestarterHarness } from "./harness.ts";
import { pathOf, statefulSet } from "@rollcast/testkit/shapes";

const RBAC = "rbac.authorization.k8s.io/v1";

function rules(resources: readonly string[]) {
  return [
    { apiGroups: ["apps"], resources, verbs: ["get", "list", "watch", "patch"] },
    { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create"] },
  ];
}

async function allow(api: Api, namespace: string, resources: readonly string[]): Promise<void> {
  const metadata = { name: "restarter", namespace };
  await api.create(pathOf(RBAC, namespace, "roles"), {
    apiVersion: RBAC,
    kind: "Role",
    metadata,
    rules: rules(resources),
  });
  await api.create(pathOf(RBAC, namespace, "rolebindings"), {
    apiVersion: RBAC,
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "restarter" },
    subjects: [{ kind: "User", name: "alice", apiGroup: "rbac.authorization.k8s.io" }],
  });
}

test("a kind that may not be listed is reported once and blocks no other; it is followed once permission is granted", async () => {
  await using harness = await startRestarterHarness({ user: "alice" });
  const { api, namespace } = harness;
  await allow(api, namespace, ["deployments", "daemonsets"]);
  await harness.adopt("cfg", "0");
  await harness.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }] });
  await api.create(
    pathOf("apps/v1", namespace, "statefulsets"),
    statefulSet(namespace, "db", { replicas: 0 }),
  );
  const restarter = await harness.start();
  const read = async (path: string) => (await fetch(`${restarter.http()}${path}`)).text();

  await harness.change("cfg", "1");
  await harness.waitEvent("succeeded", "web");
  expect(await read("/readyz")).toContain("StatefulSet is not followed: no permission to list it");
  expect(await read("/metrics")).toContain('rollcast_kind_forbidden{kind="StatefulSet"} 1');
  expect(await read("/metrics")).toContain('rollcast_kind_forbidden{kind="Deployment"} 0');
  expect(await read("/metrics")).toContain(
    'rollcast_watch_staleness_seconds{resource="daemonsets"}',
  );

  await api.patch(pathOf(RBAC, namespace, "roles", "restarter"), {
    rules: rules(["deployments", "daemonsets", "statefulsets"]),
  });
  await restarter.waitLog(({ msg }) => msg === "permission to list granted", 60_000);
  await harness.waitCurrent("StatefulSet", "db");
  await harness.change("cfg", "2");
  await harness.waitEvent("succeeded", "db");
  const lines = restarter.logs.filter(
    ({ msg, resource }) => msg.startsWith("no permission to list") && resource === "statefulsets",
  );
  expect(lines).toHaveLength(1);
  expect(await read("/readyz")).not.toContain("StatefulSet");
});
