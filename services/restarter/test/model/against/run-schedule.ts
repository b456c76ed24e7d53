import { setTimeout as sleep } from "node:timers/promises";
import { dig } from "@rollcast/kube/object";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { createNamespace, paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { KINDS as STORED } from "../cluster/kinds.ts";
import type { Fields, KubeObject } from "../cluster/object.ts";
import { areAtRest, makeNodes } from "./nodes.ts";
import type { Nodes } from "./nodes.ts";
import { contentOf, finalText } from "./observation.ts";
import { API_VERSION, NAME, manualJob, patchOf, quotaOf, workloadOf } from "./schedule.ts";
import type { Moment, Schedule, Write } from "./schedule.ts";
import type { Effect, Trace } from "./trace.ts";
import { traceOf } from "./trace-of.ts";
import type { Done } from "./trace-of.ts";
import { watchObject } from "./watch-object.ts";
import type { ObjectWatch } from "./watch-object.ts";

const SOON_MS = 120;
const QUIET_MS = 900;
const SLOW_MS = 2_500;
const STUCK_MS = 10_000;
/** The Job controller puts off the pod after the first that failed for so long. */
const BACKOFF_MS = 10_000;
const LOOK_MS = 100;
const MERGE_PATCH = "application/merge-patch+json";

type Run = {
  readonly api: Api;
  readonly namespace: string;
  readonly schedule: Schedule;
  readonly watch: ObjectWatch;
  readonly nodes: Nodes;
  readonly done: Done[];
};

function pathOf({ kind }: Pick<Schedule, "kind">, namespace: string, name = ""): string {
  const { resource = "" } = STORED[kind] ?? {};
  return `/apis/${API_VERSION[kind]}/namespaces/${namespace}/${resource}${name === "" ? "" : `/${name}`}`;
}

type List = {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly KubeObject[];
};

const listPods = ({ api, namespace }: Pick<Run, "api" | "namespace">) =>
  api.get<List>(paths.pod(namespace));

type Final = { readonly text: string; readonly areNodesAtRest: boolean };

async function stateOf(run: Run): Promise<Final> {
  const { api, namespace, schedule } = run;
  const [workloads, pods, replicaSets, nodes] = await Promise.all([
    api.get<List>(pathOf(schedule, namespace)),
    listPods(run),
    api.get<List>(paths.replicaSet(namespace)),
    run.nodes.list(),
  ]);
  const workload = workloads.items.find(({ metadata }) => metadata.name === NAME);
  const objects = { workload, pods: pods.items, replicaSets: replicaSets.items, nodes };
  const text = finalText(schedule.kind, objects);
  return { text, areNodesAtRest: areAtRest(nodes, pods.items) };
}

/** How long nothing may move before it counts as the end: longer than what only time ends. */
function quietMs({ kind, spec, fails, writes }: Schedule): number {
  const deadline = Number(spec.progressDeadlineSeconds ?? 600);
  const ready = Number(spec.minReadySeconds ?? 0);
  const failing = fails === true && spec.backoffLimit === 1 ? BACKOFF_MS : 0;
  // The Job controller collects what happens to pods for a second, and everyone retries later and
  // later where the objects of a deleted workload are in the way.
  const isSlow =
    kind.endsWith("Job") ||
    JSON.stringify(spec).includes("duration") ||
    writes.some(({ write: { do: name } }) => name === "make again");
  return (
    (isSlow ? SLOW_MS : QUIET_MS) +
    (deadline < 600 ? deadline * 1_000 + 1_500 : 0) +
    ready * 1_500 +
    failing
  );
}

async function atRest(run: Run, quiet: number): Promise<string> {
  let last = "";
  let since = Date.now();
  return waitFor(
    async () => {
      // Before it asks: an answer may lie about for long while a search keeps the process busy.
      const start = Date.now();
      const { text, areNodesAtRest } = await stateOf(run);
      const now = `${run.watch.versions.length}\n${text}`;
      if (now !== last || !areNodesAtRest) [last, since] = [now, Date.now()];
      return start - since > quiet ? now.slice(now.indexOf("\n") + 1) : false;
    },
    { timeout: 120_000, every: LOOK_MS, message: "the workload to come to rest" },
  );
}

async function pause(run: Run, when: Moment): Promise<void> {
  if (when === "soon") await sleep(SOON_MS);
  if (when === "at rest") await atRest(run, QUIET_MS);
}

const versionOf = (object: AnyObject | List) => Number(object.metadata.resourceVersion);

async function create(run: Run): Promise<void> {
  const { api, namespace, schedule, done } = run;
  const made = await api.create(pathOf(schedule, namespace), workloadOf(schedule, namespace));
  done.push({ effect: { do: "create" }, version: versionOf(made) });
}

/** Something that leaves no version of the workload: between two lists of pods. */
async function between(
  run: Run,
  effect: (pods: List) => Promise<Effect | undefined>,
): Promise<void> {
  const before = await listPods(run);
  const done = await effect(before);
  const after = await listPods(run);
  if (done === undefined) return;
  run.done.push({
    effect: done,
    after: versionOf(before),
    before: versionOf(after),
    doneAt: Date.now(),
  });
}

async function deletePod(run: Run, which: number): Promise<void> {
  await between(run, async ({ items }) => {
    const living = items.filter((pod) => pod.metadata.deletionTimestamp === undefined);
    const pod = living.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[
      which % Math.max(1, living.length)
    ];
    if (pod === undefined) return undefined;
    const { name, annotations, uid } = pod.metadata;
    const path = paths.pod(run.namespace, name);
    const isGone = await run.api
      .call({ method: "DELETE", path, body: { preconditions: { uid } } })
      .then(
        () => false,
        () => true,
      );
    if (isGone) return undefined;
    const content = contentOf(annotations);
    return { do: "delete pod", content, ...(run.schedule.kind === "StatefulSet" ? { name } : {}) };
  });
}

/** Makes the quota, changes it or takes it away. */
async function writeQuota(run: Run, pods: number | null): Promise<void> {
  const { api, namespace } = run;
  const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
  const { items } = await api.get<List>(path);
  if (pods === null && items.length === 0) return;
  await between(run, async () => {
    if (pods === null) await api.call({ method: "DELETE", path: `${path}/pods` });
    else if (items.length === 0) await api.create(path, quotaOf(namespace, pods));
    else await api.patch(`${path}/pods`, { spec: quotaOf(namespace, pods).spec });
    return { do: "quota", pods };
  });
}

type NodeWrite = Write & { do: "node" };

async function writeNode(run: Run, effect: NodeWrite): Promise<void> {
  await between(run, async () => {
    await run.nodes.set(effect.node, effect.state === "dead");
    return effect;
  });
}

async function write(run: Run, { do: name, ...values }: Write): Promise<void> {
  const { api, namespace, schedule, done } = run;
  const path = pathOf(schedule, namespace, NAME);
  if (name === "delete pod") return deletePod(run, Number(dig(values, "which")));
  if (name === "node") return writeNode(run, { do: name, ...values } as NodeWrite);
  if (name === "quota") return writeQuota(run, dig(values, "pods") as number | null);
  if (name === "run") {
    const { uid = "" } = (await api.get(path)).metadata;
    const count = done.length;
    return between(run, async () => {
      const job = { count, fails: dig(values, "fails") === true };
      await api.create(pathOf({ kind: "Job" }, namespace), manualJob({ uid, namespace }, job));
      return { do: "create job", ...job };
    });
  }
  if (name === "make again") {
    await api.call({ method: "DELETE", path, body: { propagationPolicy: "Background" } });
    done.push({ effect: { do: "remove" }, version: undefined });
    return create(run);
  }
  if (name === "promote") {
    if (!Array.isArray(dig((await api.get(path)).status, "pauseConditions"))) return undefined;
    const body = { status: { pauseConditions: null } };
    const at = `${path}/status`;
    const now = await api.call({ method: "PATCH", path: at, body, contentType: MERGE_PATCH });
    done.push({ effect: { do: "promote" }, version: versionOf(now) });
    return undefined;
  }
  const patch = patchOf(schedule.kind, { do: name, ...values } as Write) as Fields;
  const object = await api.call({ method: "PATCH", path, body: patch, contentType: MERGE_PATCH });
  done.push({ effect: { do: "patch", patch }, version: versionOf(object) });
}

/**
 * Runs a schedule in a namespace of its own, against the real API server and controllers; up to the
 * end that is asked for, or until nothing has moved for long.
 */
export async function runSchedule(
  cluster: ClusterAccess & { readonly api: Api },
  schedule: Schedule,
  isEnd: (trace: Trace) => boolean,
): Promise<Trace> {
  const { api } = cluster;
  await using made = await createNamespace(api, "against");
  const namespace = made.name;
  await using nodes = await makeNodes(api, namespace, schedule.nodes ?? []);
  const path = pathOf(schedule, namespace);
  const { metadata } = await api.get<List>(path);
  const { resourceVersion } = metadata;
  using watch = watchObject(cluster, { path, name: NAME, resourceVersion });
  const run: Run = { api, namespace, schedule, watch, nodes, done: [] };
  await create(run);
  for (const { when, write: what } of schedule.writes) {
    await pause(run, when);
    await write(run, what);
  }
  const { kind } = schedule;
  const workload = workloadOf(schedule, namespace);
  const quiet = quietMs(schedule);
  const traceAt = (final: string) =>
    traceOf({
      kind,
      workload,
      nodes: schedule.nodes,
      versions: watch.versions,
      done: run.done,
      final,
    });
  const first = traceAt(await atRest(run, quiet));
  // A busy control plane may stand still before the end.
  return isEnd(first) ? first : traceAt(await atRest(run, quiet + STUCK_MS));
}
