import type { AnyObject } from "@rollcast/testkit/test-api";
import { defineRollouts, pathIn } from "@rollcast/testkit/definitions";
import { AUTO, deployment } from "@rollcast/testkit/deployment";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { paths } from "@rollcast/testkit/objects";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { cronJob, daemonSet, job, pathOf, statefulSet } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { ENDS } from "./place.ts";
import type { Place } from "./place.ts";
import { useWorld } from "./world.ts";

const ROLLOUT = { group: "argoproj.io", version: "v1alpha1", kind: "Rollout", plural: "rollouts" };

const world = useWorld({
  places: [
    "hook",
    "sync",
    "ran",
    "chosen",
    "owned",
    "cron",
    "quota",
    "refused",
    "nodes",
    "argo",
    "borrowed",
    "ordered",
  ],
  before: async (api) => {
    await defineRollouts(api);
    return undefined;
  },
  config: (namespaces) => ({
    rollout: { resyncInterval: "5m", stalledAfter: "2s" },
    queues: [
      { name: "default", window: "100ms" },
      {
        name: "bounded",
        match: { namespaces: [namespaces.nodes] },
        window: "100ms",
        maxRolling: 2,
      },
    ],
  }),
});

async function uidOf(place: Place, path: string): Promise<string | undefined> {
  const object = await place.api.get<AnyObject>(path).catch(() => undefined);
  return object?.metadata.uid;
}

/**
 * Changes `cfg` under a Job that runs, or has run, and whether it is still the same when that is
 * decided.
 */
async function jobOutcome(
  place: Place,
  body: AnyObject,
  begin: () => void,
  { finished = false } = {},
) {
  const { api, namespace } = place;
  const jobs = pathOf("batch/v1", namespace, "jobs");
  const path = `${jobs}/${body.metadata.name}`;
  await api.create(jobs, body);
  await place.adopted(body.metadata.name, "Job");
  const isFinished = async () => {
    const { status } = await api.get<{ status: { succeeded?: number } }>(path);
    return status.succeeded === 1;
  };
  if (finished) await waitFor(isFinished, { message: "the Job to end" });
  const before = await uidOf(place, path);
  begin();
  await place.change();
  await place.planned("cfg");
  await place.firstOf(body.metadata.name, ["started", "skipped", "failed"], { withinMs: 5_000 });
  return (await uidOf(place, path)) === before ? "the same" : "another";
}

/** What a hook's Job comes to when a source changes, and what is told of it. */
async function hookOutcome(
  place: Place,
  annotations: Readonly<Record<string, string>>,
  begin: () => void,
  { finished = false } = {},
) {
  await place.source();
  const shape = { annotations, endless: !finished };
  const fate = await jobOutcome(place, job(place.namespace, "migrate", shape), begin, { finished });
  return { job: fate, events: place.events("migrate").slice(0, 2) };
}

const HOOK = {
  right: { job: "the same", events: [] },
};

/**
 * Whoever waits for a hook takes its deletion for its end, and goes on over a database that is not
 * migrated.
 */
for (const [name, hook] of [
  ["hook", { "helm.sh/hook": "pre-install,pre-upgrade" }],
  ["sync", { "argocd.argoproj.io/hook": "PreSync" }],
] as const) {
  const [key] = Object.keys(hook);
  outcomeTest(
    `a Job with ${key} that runs is not deleted and made again, though it has \`auto\` from the chart's common annotations (case 7, ${name})`,
    HOOK,
    async (begin) => hookOutcome(world(name), { ...AUTO, ...hook }, begin),
  );
}

/**
 * A migration, or what makes the first user, must run at each release and not at each change of a
 * ConfigMap.
 */
outcomeTest(
  "a hook of Helm that has run to its end is not run again by a change (case 7, finished)",
  HOOK,
  async (begin) =>
    hookOutcome(world("ran"), { ...AUTO, "helm.sh/hook": "post-install" }, begin, {
      finished: true,
    }),
);

/** No common annotation says this: somebody wants this Job to run with this ConfigMap. */
outcomeTest(
  "a hook of Helm whose annotation names the source is run again by its change (case 7, named)",
  { right: { job: "another", events: ["planned", "started"] } },
  async (begin) => {
    const named = { "configmap.reloader.stakater.com/reload": "cfg" };
    const annotations = { ...named, "helm.sh/hook": "post-install" };
    return hookOutcome(world("chosen"), annotations, begin, { finished: true });
  },
);

/**
 * What a controller has started ends with the configuration that it began with: half-done work
 * would be lost.
 */
outcomeTest(
  "a running Job of any other controller is left to it (case 8)",
  {
    right: { job: "the same", events: ["skipped Owned"] },
  },
  async (begin) => {
    const place = world("owned");
    await place.source();
    await place.source("owner");
    const uid = await uidOf(place, paths.configMap(place.namespace, "owner"));
    const body = job(place.namespace, "worker", { annotations: AUTO, endless: true });
    const owner = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid, controller: true };
    const owned = { ...body, metadata: { ...body.metadata, ownerReferences: [owner] } };
    const fate = await jobOutcome(place, owned, begin);
    return { job: fate, events: place.events("worker").slice(0, 2) };
  },
);

/**
 * `Replace` means that there are never two: the run is replaced, or waited for as with `Forbid`.
 */
outcomeTest(
  "a CronJob that replaces its runs never has two, also when it is rolled (case 9)",
  { right: { running: 1, events: ["deferred Running"] } },
  async (begin) => {
    const place = world("cron");
    const { api, namespace } = place;
    const jobs = pathOf("batch/v1", namespace, "jobs");
    const crons = pathOf("batch/v1", namespace, "cronjobs");
    await place.source();
    const shape = { endless: true, cron: { concurrencyPolicy: "Replace" } };
    const { metadata } = await api.create(crons, cronJob(namespace, "sync", shape));
    // The run as its controller makes it at the time of the schedule.
    const owner = {
      apiVersion: "batch/v1",
      kind: "CronJob",
      name: "sync",
      uid: metadata.uid,
      controller: true,
      blockOwnerDeletion: true,
    };
    const run = job(namespace, "sync-29000000", { annotations: {}, endless: true });
    const made = await api.create(jobs, {
      ...run,
      metadata: { ...run.metadata, ownerReferences: [owner] },
    });
    const active = {
      apiVersion: "batch/v1",
      kind: "Job",
      namespace,
      name: made.metadata.name,
      uid: made.metadata.uid,
    };
    await api.patch(`${crons}/sync/status`, { status: { active: [active] } });
    await place.adopted("sync", "CronJob");
    begin();
    await place.change();
    await place.firstOf("sync", ["started", "deferred", "skipped"], { withinMs: 5_000 });
    const { items } = await api.get<{ items: AnyObject[] }>(jobs);
    const running = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    return { running: running.length, events: place.events("sync") };
  },
);

/**
 * The cluster says why in a condition, though its controller has not observed the new generation.
 */
outcomeTest(
  "a rollout whose new ReplicaSet is refused is told with the cluster's own sentence (case 10)",
  {
    right: { events: ["planned", "started", "failed ReplicaSetCreateError"], names: "the quota" },
  },
  async (begin) => {
    const place = world("quota");
    const { api, namespace } = place;
    await place.source();
    await place.deploy("web", { progressDeadlineSeconds: 2 });
    const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
    const kind = "count/replicasets.apps";
    await api.create(quotas, {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "full", namespace },
      spec: { hard: { [kind]: "1" } },
    });
    const isFull = async () => {
      const { status } = await api.get<{ status?: { used?: Record<string, string> } }>(
        `${quotas}/full`,
      );
      return status?.used?.[kind] === "1";
    };
    await waitFor(isFull, { message: "the quota to be used up" });
    begin();
    await place.change();
    await place.firstOf("web", [...ENDS, "stalled"]);
    const { message = "" } =
      [...place.data("web", "stalled"), ...place.data("web", "failed")].at(-1) ?? {};
    return {
      events: place.events("web"),
      names: message.includes("exceeded quota") ? "the quota" : "nothing",
    };
  },
);

/** Most have no condition for it: their controllers tell it in Events only. */
outcomeTest(
  "pods that a quota refuses are told with the cluster's own sentence, whatever kind they are of (case 10, pods)",
  {
    right: {
      StatefulSet: true,
      DaemonSet: true,
      Deployment: true,
      Job: true,
      "Job with a deadline": true,
      CronJob: true,
    },
  },
  async (begin) => {
    const place = world("refused");
    const { api, namespace } = place;
    await place.source();
    const apps = { StatefulSet: statefulSet, DaemonSet: daemonSet };
    for (const [kind, make] of Object.entries(apps)) {
      const plural = `${kind.toLowerCase()}s`;
      const name = plural;
      await api.create(pathOf("apps/v1", namespace, plural), make(namespace, name));
      await place.adopted(name, kind);
    }
    const jobs = pathOf("batch/v1", namespace, "jobs");
    await api.create(jobs, job(namespace, "jobs", { annotations: AUTO }));
    await place.adopted("jobs", "Job");
    const spec = { activeDeadlineSeconds: 3 };
    await api.create(jobs, job(namespace, "limited", { annotations: AUTO, spec }));
    await place.adopted("limited", "Job");
    const deployments = pathOf("apps/v1", namespace, "deployments");
    const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
    const progressDeadlineSeconds = 2_147_483_647;
    const shape = { uses, progressDeadlineSeconds };
    await api.create(deployments, deployment(namespace, "deployments", shape));
    await place.adopted("deployments");
    await api.create(pathOf("batch/v1", namespace, "cronjobs"), cronJob(namespace, "cronjobs"));
    await place.adopted("cronjobs", "CronJob");
    const areAllDone = async () => {
      const { items } = await api.get<{ items: AnyObject[] }>(paths.pod(namespace));
      return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).length >= 4;
    };
    await waitFor(areAllDone, { message: "pods of the others" });
    await api.create(`/api/v1/namespaces/${namespace}/resourcequotas`, {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "full", namespace },
      spec: { hard: { pods: "0" } },
    });
    begin();
    await place.change();
    const isNamed = async (name: string) => {
      await place.firstOf(name, ["stalled", "failed"]);
      const [{ message = "" } = {}] = [
        ...place.data(name, "stalled"),
        ...place.data(name, "failed"),
      ];
      return message.includes("exceeded quota: full");
    };
    return {
      StatefulSet: await isNamed("statefulsets"),
      DaemonSet: await isNamed("daemonsets"),
      Job: await isNamed("jobs"),
      "Job with a deadline": await isNamed("limited"),
      Deployment: await isNamed("deployments"),
      CronJob: await isNamed("cronjobs"),
    };
  },
);

/** Two rollouts that nobody can end, for their node is gone, must not stop all others. */
outcomeTest(
  "a rollout that hangs on a dead node gives its place in the queue back (case 11)",
  {
    right: { events: ["planned", "started", "succeeded Complete"] },
  },
  async (begin) => {
    const place = world("nodes");
    const { api, namespace } = place;
    const sets = pathOf("apps/v1", namespace, "daemonsets");
    await place.source();
    await place.source("ca-bundle");
    const agents = ["agent-a", "agent-b"];
    for (const name of agents) {
      const uses = [{ as: "envFrom", configMap: "ca-bundle" }] as const;
      const podAnnotations = { [NEVER_READY]: "true" };
      await api.create(sets, daemonSet(namespace, name, { uses, podAnnotations }));
      await place.adopted(name, "DaemonSet");
    }
    await place.deploy("web");
    begin();
    await place.change("ca-bundle");
    await Promise.all(agents.map((name) => place.firstOf(name, ["stalled"])));
    await place.change();
    await place.firstOf("web", [...ENDS, "deferred"]);
    return { events: place.events("web") };
  },
);

type Lender = { readonly apiVersion: string; readonly kind: string; readonly name: string };

async function createRollout({ api, namespace }: Place, lender: Lender): Promise<void> {
  await api.create(pathIn(namespace, ROLLOUT), {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: {
      name: "r",
      namespace,
      annotations: { ...AUTO, "reloader.stakater.com/rollout-strategy": "restart" },
    },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "r" } },
      workloadRef: lender,
      strategy: { canary: {} },
    },
  });
}

/** Whether the Rollout `r` is restarted by a change of `cfg`. */
async function restartOutcome(place: Place, lender: Lender, begin: () => void) {
  const { api, namespace } = place;
  await createRollout(place, lender);
  await place.deploy("web");
  begin();
  await place.change();
  // Rolled by the same change, so the Rollout was looked at too.
  await place.firstOf("web", ["succeeded"]);
  await place.endOfPlanned("r");
  const { spec } = await api.get<{ spec: { restartAt?: string } }>(pathIn(namespace, ROLLOUT, "r"));
  return { restartAt: spec.restartAt === undefined ? "none" : "set" };
}

const RESTARTED = { right: { restartAt: "set" } };

function lentTemplate() {
  const container = { name: "app", image: "x", envFrom: [{ configMapRef: { name: "cfg" } }] };
  return { metadata: { labels: { app: "r" } }, spec: { containers: [container] } };
}

/** `spec.restartAt` needs no template, wherever Argo finds it. */
outcomeTest(
  "an Argo Rollout that borrows the template of a PodTemplate is restarted (case 14)",
  RESTARTED,
  async (begin) => {
    const place = world("argo");
    const { api, namespace } = place;
    await place.source();
    await api.create(`/api/v1/namespaces/${namespace}/podtemplates`, {
      apiVersion: "v1",
      kind: "PodTemplate",
      metadata: { name: "tpl", namespace },
      template: lentTemplate(),
    });
    const lender = { apiVersion: "v1", kind: "PodTemplate", name: "tpl" };
    return restartOutcome(place, lender, begin);
  },
);

outcomeTest(
  "an Argo Rollout that borrows the template of a ReplicaSet is restarted (case 14, ReplicaSet)",
  RESTARTED,
  async (begin) => {
    const place = world("borrowed");
    const { api, namespace } = place;
    await place.source();
    await api.create(pathOf("apps/v1", namespace, "replicasets"), {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "tpl", namespace },
      spec: { replicas: 0, selector: { matchLabels: { app: "r" } }, template: lentTemplate() },
    });
    const lender = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "tpl" };
    return restartOutcome(place, lender, begin);
  },
);

/**
 * Ordered pods are not replaced past one that is not ready: deleting it by hand is the known cure.
 */
outcomeTest(
  "a StatefulSet that hangs behind a pod of an earlier revision is told with that pod's name (case 22)",
  {
    right: { events: ["planned", "started", "stalled Deadline"], names: "db-1" },
  },
  async (begin) => {
    const place = world("ordered");
    const { api, namespace } = place;
    const sets = pathOf("apps/v1", namespace, "statefulsets");
    await place.source();
    await api.create(sets, statefulSet(namespace, "db", { replicas: 2 }));
    const isAvailable = async () => {
      const { status } = await api.get<{ status: { availableReplicas?: number } }>(`${sets}/db`);
      return status.availableReplicas === 2;
    };
    await waitFor(isAvailable, { message: "both pods to be ready" });
    await place.adopted("db", "StatefulSet");
    const setNeverReady = (value: "true" | null) =>
      api.patch(`${sets}/db`, {
        spec: { template: { metadata: { annotations: { [NEVER_READY]: value } } } },
      });
    await setNeverReady("true");
    const isBlocked = async () => {
      const pod = await api.get<AnyObject>(paths.pod(namespace, "db-1"));
      return pod.metadata.annotations?.[NEVER_READY] === "true";
    };
    await waitFor(isBlocked, { message: "the pod of the bad revision" });
    await setNeverReady(null);
    await place.adopted("db", "StatefulSet");
    begin();
    await place.change();
    await place.firstOf("db", [...ENDS, "stalled"]);
    const [{ message = "" } = {}] = place.data("db", "stalled");
    return {
      events: place.events("db"),
      names: message.includes("db-1") ? "db-1" : "nothing",
    };
  },
);
