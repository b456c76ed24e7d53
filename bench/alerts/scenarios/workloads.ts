import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Harness, StartOptions } from "@rollcast/testkit/harness/harness-types";
import { paths } from "@rollcast/testkit/objects";
import { pathOf } from "@rollcast/testkit/shapes";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario, AlertWorld } from "../world/alert-scenario.ts";
import { deploy, spoil } from "../world/deploy.ts";

const RBAC = "rbac.authorization.k8s.io/v1";
const FOLLOW = ["get", "list", "watch", "patch"];
const ARGO = /^\/apis\/argoproj\.io/;

function rules(more: readonly string[]) {
  const apps = ["deployments", "daemonsets", "replicasets", "controllerrevisions", ...more];
  return [
    { apiGroups: ["apps"], resources: apps, verbs: FOLLOW },
    { apiGroups: ["batch"], resources: ["jobs", "cronjobs"], verbs: [...FOLLOW, "create"] },
    { apiGroups: [""], resources: ["pods"], verbs: FOLLOW },
    { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
  ];
}

async function allow({ api, namespace }: Harness): Promise<void> {
  const metadata = { name: "restarter", namespace };
  await api.create(pathOf(RBAC, namespace, "roles"), {
    apiVersion: RBAC,
    kind: "Role",
    metadata,
    rules: rules(["statefulsets"]),
  });
  const group = "rbac.authorization.k8s.io";
  await api.create(pathOf(RBAC, namespace, "rolebindings"), {
    apiVersion: RBAC,
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: group, kind: "Role", name: "restarter" },
    subjects: [{ kind: "User", name: "restarter", apiGroup: group }],
  });
}

/** Breaks four things at once. What is returned mends them. */
async function breakAll(world: AlertWorld, turn: string): Promise<() => Promise<void>> {
  const { api, namespace, proxy } = world.harness;
  const role = pathOf(RBAC, namespace, "roles", "restarter");
  const annotate = (text: string | null) =>
    api.patch(paths.deployment(namespace, "noted"), {
      metadata: { annotations: { "deployment.reloader.stakater.com/pause-period": text } },
    });
  await api.patch(role, { rules: rules([]) });
  proxy.rules([{ path: ARGO, fault: { do: "answer", status: 503 } }]);
  // A watch that runs is not selectors for its permission.
  proxy.cut();
  await annotate("5 minutes");
  const spoiled = await spoil(world, "workloads", "Deployment", "spoiled");
  await setSource(world, "spoiled", turn);
  return async () => {
    await api.patch(role, { rules: rules(["statefulsets"]) });
    proxy.rules([]);
    await annotate(null);
    await spoiled.restore();
  };
}

/** Another installation that rolls the same workloads; nobody scrapes it. */
async function installAnother({ harness }: AlertWorld): Promise<void> {
  const file = join(harness.dir, "other.key");
  await writeFile(file, randomBytes(32));
  const options: StartOptions = { config: { cluster: "other", installationKey: { file } } };
  await Promise.all([harness.start("watcher", options), harness.start("restarter", options)]);
}

/** Kinds and workloads that cannot be followed, read or kept apart. */
export const workloads: AlertScenario = {
  name: "workloads",
  about:
    "a kind is forbidden, an API fails, an annotation and a record cannot be read, first for two minutes, then for longer; then another installation rolls the same workload",
  minutes: 50,
  pods: { watcher: 1, restarter: 2, notifier: 1 },
  config: () => ({}),
  async restarter(harness) {
    await allow(harness);
    return { kubeconfig: await harness.kubeconfigFor("restarter") };
  },
  async prepare(world) {
    for (const name of ["noted", "spoiled", "shared"]) await deploy(world, name);
  },
  async play(world) {
    await world.at(2);
    const mendSoon = await breakAll(world, "1");
    world.act(
      "broken-shortly",
      "no permission, a 503, an annotation and a record of no known form",
    );
    await world.at(4);
    await mendSoon();
    world.act("mended-soon", "all of it is as before");
    await world.at(8);
    const mend = await breakAll(world, "2");
    world.act("broken", "the same again");
    await world.at(26);
    await mend();
    world.act("mended", "all of it is as before");
    await world.at(28);
    await installAnother(world);
    await setSource(world, "shared", "1");
    world.act("other-installation", "another installation is there, and a source changes");
  },
};
