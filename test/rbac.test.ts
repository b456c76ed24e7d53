import { readFile } from "node:fs/promises";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { addPolicy } from "@rollcast/testkit/admission-policy";
import { configMap, paths, secret } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { define } from "@rollcast/testkit/definitions";
import type { Definition } from "@rollcast/testkit/definitions";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { statefulSet } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { ACCOUNTS, installServiceAccounts } from "./service-accounts.ts";
import type { Account, ServiceAccounts } from "./service-accounts.ts";
import { setKey, startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";

/**
 * What the audit log tells of a request
 * (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/).
 */
type Audited = {
  verb: string;
  user: { username: string };
  objectRef?: { apiGroup?: string; resource: string; subresource?: string; name?: string };
  annotations?: Record<string, string>;
};

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] };

/** `verb group/resource`, and the name where a rule is for one object only. */
function granted({ roles }: ServiceAccounts, account: Account): string[] {
  const own = roles.filter(
    ({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === account,
  );
  const rules = own.flatMap((role) => role.rules as Rule[]);
  return rules
    .flatMap(({ apiGroups, resources, verbs, resourceNames = [""] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) =>
            resourceNames.map((name) => `${verb} ${group}/${resource} ${name}`.trim()),
          ),
        ),
      ),
    )
    .toSorted();
}

/** What the account asked for, in the words of {@link granted}. */
function needed(log: readonly Audited[], user: string, named: ReadonlySet<string>): string[] {
  const requested = log
    .filter((request) => request.user.username === user)
    .flatMap(({ verb, objectRef }) => {
      if (objectRef === undefined) return [];
      const { apiGroup = "", resource, subresource, name = "" } = objectRef;
      const right = `${verb} ${apiGroup}/${[resource, subresource].filter(Boolean).join("/")}`;
      return [named.has(`${right} ${name}`) ? `${right} ${name}` : right];
    });
  return [...new Set(requested)].toSorted();
}

async function readLog(file: string): Promise<Audited[]> {
  const lines = (await readFile(file, "utf8")).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Audited);
}

const CSI = "secrets-store.csi.x-k8s.io";
const APP = {
  group: "apps.example.com",
  version: "v1",
  kind: "App",
  plural: "applications",
  templatePath: "spec.template",
};
const ARGO = { group: "argoproj.io", version: "v1alpha1" };
const OPENSHIFT = { group: "apps.openshift.io", version: "v1" };
const DRIVER = { group: CSI, version: "v1" };
const DEFINITIONS: readonly Definition[] = [
  { ...ARGO, kind: "Rollout", plural: "rollouts" },
  { ...OPENSHIFT, kind: "DeploymentConfig", plural: "deploymentconfigs" },
  APP,
  { ...DRIVER, kind: "SecretProviderClass", plural: "secretproviderclasses" },
  { ...DRIVER, kind: "SecretProviderClassPodStatus", plural: "secretproviderclasspodstatuses" },
];

/** A workload of each kind that the restarter patches, each with its own ConfigMap `<name>-cfg`. */
const WORKLOADS: readonly {
  name: string;
  plural: string;
  group?: string;
  make: (object: AnyObject) => AnyObject;
}[] = [
  { name: "web", plural: "deployments", make: (object) => object },
  {
    name: "db",
    plural: "statefulsets",
    make: (object) => ({ ...object, kind: "StatefulSet" }),
  },
  {
    name: "agent",
    plural: "daemonsets",
    make: (object) => {
      const { replicas: _, ...spec } = object.spec as Record<string, unknown>;
      // Its pods are listed, to name those that are left to their owner.
      return {
        ...object,
        kind: "DaemonSet",
        spec: { ...spec, updateStrategy: { type: "OnDelete" } },
      };
    },
  },
  { name: "migrate", plural: "jobs", group: "batch/v1", make: toJob },
  {
    name: "canary",
    plural: "rollouts",
    group: "argoproj.io/v1alpha1",
    make: (object) => ({ ...object, apiVersion: "argoproj.io/v1alpha1", kind: "Rollout" }),
  },
  {
    name: "by-set",
    plural: "rollouts",
    group: "argoproj.io/v1alpha1",
    make: (object) => toRollout(object, { apiVersion: "apps/v1", kind: "ReplicaSet", name: "set" }),
  },
  {
    name: "by-template",
    plural: "rollouts",
    group: "argoproj.io/v1alpha1",
    make: (object) => toRollout(object, { apiVersion: "v1", kind: "PodTemplate", name: "tpl" }),
  },
  {
    name: "dc",
    plural: "deploymentconfigs",
    group: "apps.openshift.io/v1",
    make: (object) => ({
      ...object,
      apiVersion: "apps.openshift.io/v1",
      kind: "DeploymentConfig",
    }),
  },
  {
    name: "app",
    plural: "applications",
    group: "apps.example.com/v1",
    make: (object) => ({ ...object, apiVersion: "apps.example.com/v1", kind: "App" }),
  },
  { name: "report", plural: "cronjobs", group: "batch/v1", make: toCronJob },
  {
    name: "marked",
    plural: "cronjobs",
    group: "batch/v1",
    make(object) {
      const annotations = { ...object.metadata.annotations, "rollcast.dev/cronjob": "template" };
      return toCronJob({ ...object, metadata: { ...object.metadata, annotations } });
    },
  },
];

/** Nobody here plays their controllers: they are rolled, and do not end. */
const ENDLESS = new Set(["applications", "deploymentconfigs", "rollouts"]);

function toJob(object: AnyObject): AnyObject {
  const { template } = object.spec as { template: { spec: object } };
  const spec = { template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } } };
  return { ...object, apiVersion: "batch/v1", kind: "Job", spec };
}

/** Its template is not there, so that its sources are named. */
function toRollout(object: AnyObject, workloadRef: object): AnyObject {
  const { name } = object.metadata;
  const annotations = {
    "rollcast.dev/auto": "true",
    "configmap.rollcast.dev/reload": `${name}-cfg`,
  };
  return {
    ...object,
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: { ...object.metadata, annotations },
    spec: { workloadRef },
  };
}

function toCronJob(object: AnyObject): AnyObject {
  const { spec } = toJob(object);
  // Its status is patched too.
  const concurrencyPolicy = "Forbid";
  const never = { schedule: "0 0 29 2 *", concurrencyPolicy, jobTemplate: { spec } };
  return { ...object, apiVersion: "batch/v1", kind: "CronJob", spec: never };
}

function collection(namespace: string, { plural, group = "apps/v1" }: (typeof WORKLOADS)[number]) {
  return `/apis/${group}/namespaces/${namespace}/${plural}`;
}

async function deployAll({ api, namespace }: Stack): Promise<void> {
  for (const workload of WORKLOADS) {
    const { name, make } = workload;
    for (const each of [name, `${name}-gone`]) {
      const source = `${each}-cfg`;
      await api.create(paths.configMap(namespace), configMap(namespace, source, { a: "0" }));
      const uses = [{ as: "envFrom", configMap: source }] as const;
      const object = make(deployment(namespace, each, { uses }) as AnyObject);
      await api.create(collection(namespace, workload), object);
    }
  }
}

/**
 * Has the API server refuse to make a Job `blocked` that is there: the restarter looks whether its
 * namespace is gone.
 */
async function blockJob({ api, namespace }: Stack): Promise<void> {
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  await api.create(paths.configMap(namespace), configMap(namespace, "blocked-cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "blocked-cfg" }] as const;
  const blocked = toJob(deployment(namespace, "blocked", { uses }) as AnyObject);
  await api.create(jobs, blocked);
  await addPolicy(api, {
    kind: "ValidatingAdmissionPolicy",
    name: "block",
    namespace,
    resources: { group: "batch", plural: "jobs" },
    operations: ["CREATE"],
    spec: { validations: [{ expression: "!object.metadata.name.startsWith('blocked')" }] },
    binding: { validationActions: ["Deny"] },
  });
  const other = { ...blocked, metadata: { ...blocked.metadata, name: "blocked-too" } };
  const isDenied = () =>
    api.create(`${jobs}?dryRun=All`, other).then(
      () => false,
      () => true,
    );
  await waitFor(isDenied, { message: "the policy to be in force" });
}

/** Makes a StatefulSet whose rollout stalls: the restarter looks whether its pods are refused. */
async function deployLate({ api, namespace }: Stack): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "late-cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "late-cfg" }] as const;
  const podAnnotations = { [NEVER_READY]: "true" };
  const sets = `/apis/apps/v1/namespaces/${namespace}/statefulsets`;
  await api.create(sets, statefulSet(namespace, "late", { uses, podAnnotations }));
}

test("the roles of the chart are what the services ask of the API server: nothing is missing and nothing too much", async () => {
  const queues = [{ name: "default", window: "2s", concurrency: 20 }];
  const settings = { scope: {}, queues, rollout: { stalledAfter: "2s" } };
  await using stack = await startStack({
    services: [],
    cluster: { audit: "requests" },
    config: settings,
  });
  const { api, cluster, namespace } = stack;
  for (const definition of DEFINITIONS) await define(api, definition);
  const app = Object.entries(APP).map(([key, value]) => `config.kinds[0].${key}=${value}`);
  const set = ["rollcast.namespaceSelector=kubernetes.io/metadata.name", ...app];
  await using accounts = await installServiceAccounts(cluster, namespace, set);
  await api.create(paths.secret(namespace), secret(namespace, "sec", { p: "0" }));
  await deployAll(stack);
  await blockJob(stack);
  await deployLate(stack);
  const config = { scope: { namespaceSelector: "kubernetes.io/metadata.name" }, kinds: [APP] };
  for (const account of ACCOUNTS) {
    await stack.start(account, { config, kubeconfig: await accounts.kubeconfig(account) });
  }

  for (const { name } of WORKLOADS) {
    await setKey(stack, `${name}-cfg`, "a", "1");
    await setKey(stack, `${name}-gone-cfg`, "a", "1");
    await stack.waitEvent("planned", `${name}-gone`);
  }
  for (const source of ["blocked-cfg", "late-cfg"]) await setKey(stack, source, "a", "1");
  // Gone within the window: what the index does not know any more, the API server is asked for.
  for (const workload of WORKLOADS) {
    await api.remove(`${collection(namespace, workload)}/${workload.name}-gone`);
  }
  for (const { name, plural } of WORKLOADS) {
    await stack.waitEvent(ENDLESS.has(plural) ? "started" : "succeeded", name);
  }
  await stack.waitEvent("stalled", "late");
  const log = await waitFor(
    async () => {
      const entries = await readLog(cluster.auditLog ?? "");
      const wanted = granted(accounts, "restarter");
      const used = needed(entries, accounts.user("restarter"), new Set());
      return wanted.every((right) => used.includes(right)) ? entries : undefined;
    },
    { message: "every right of the restarter to be used", timeout: 20_000 },
  ).catch(() => readLog(cluster.auditLog ?? ""));

  for (const account of ACCOUNTS) {
    const rights = granted(accounts, account);
    expect(needed(log, accounts.user(account), new Set(rights)), account).toEqual(rights);
  }
  const refused = log.filter(
    ({ user, annotations }) =>
      ACCOUNTS.some((account) => accounts.user(account) === user.username) &&
      annotations?.["authorization.k8s.io/decision"] === "forbid",
  );
  expect(refused).toEqual([]);
});
