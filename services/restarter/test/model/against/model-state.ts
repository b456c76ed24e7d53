import { dig } from "@rollcast/kube/object";
import {
  conditionsOf,
  controllerOf,
  isDeleting,
  isReady,
  phaseOf,
  specNumber,
} from "../cluster/controllers/parts.ts";
import { unseenSize } from "../cluster/controllers/unseen-size.ts";
import { activeOf } from "../cluster/controllers/cronjob.ts";
import type { Act } from "../cluster/controllers/act.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import { canonical } from "../cluster/object.ts";
import type { Fields, KubeObject } from "../cluster/object.ts";

/** A time so long ago that every deadline has passed since. */
const LONG_AGO = "2000-01-01T00:00:00Z";
const LONGEST_DEADLINE = 600;

const by = { manager: "time", subresource: "status" } as const;

function withCondition(object: KubeObject, type: string, change: Fields): KubeObject {
  const conditions = conditionsOf(object).map((condition) =>
    condition.type === type ? { ...condition, ...change } : condition,
  );
  return { ...object, status: { ...object.status, conditions } };
}

const timeOf = (object: KubeObject, type: string, field: string) =>
  conditionsOf(object).find((condition) => condition.type === type)?.[field];

function podAct(store: ObjectStore, pod: KubeObject): Act {
  const change = { lastTransitionTime: LONG_AGO };
  return {
    name: `time: ${pod.metadata.name} is ready for long enough`,
    run: () => void store.update(withCondition(pod, "Ready", change), by),
  };
}

function deploymentAct(store: ObjectStore, deployment: KubeObject): Act[] {
  const reason = timeOf(deployment, "Progressing", "reason");
  const since = timeOf(deployment, "Progressing", "lastUpdateTime");
  const ends = ["NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"];
  const waits =
    specNumber(deployment, "progressDeadlineSeconds", LONGEST_DEADLINE) < LONGEST_DEADLINE;
  if (!waits || since === undefined || since === LONG_AGO || ends.includes(String(reason)))
    return [];
  const change = { lastUpdateTime: LONG_AGO };
  return [
    {
      name: `time: the progress deadline of ${deployment.metadata.name} passes`,
      run: () => void store.update(withCondition(deployment, "Progressing", change), by),
    },
  ];
}

/** The duration of a canary's pause passes; a pause without one is for somebody to end. */
function pauseAct(store: ObjectStore, rollout: KubeObject): Act[] {
  const pauses = rollout.status?.pauseConditions;
  const steps = dig(rollout.spec, "strategy", "canary", "steps");
  const index = Number(rollout.status?.currentStepIndex ?? 0);
  const step: unknown = Array.isArray(steps) ? steps[index] : undefined;
  if (!Array.isArray(pauses) || dig(step, "pause", "duration") === undefined) return [];
  if ((pauses as Fields[]).every(({ startTime }) => startTime === LONG_AGO)) return [];
  const passed = (pauses as Fields[]).map((pause) => ({ ...pause, startTime: LONG_AGO }));
  const status = { ...rollout.status, pauseConditions: passed };
  const run = () => void store.update({ ...rollout, status }, by);
  return [{ name: `time: the pause of ${rollout.metadata.name} passes`, run }];
}

/**
 * Time stands still in a model state. What waits for it is let go of one by one, in any order:
 * each pod that is to be ready for a while, each deadline.
 */
export function timeActs(store: ObjectStore): Act[] {
  const kinds = ["Deployment", "StatefulSet", "DaemonSet", "Rollout"];
  const waits = kinds
    .flatMap((kind) => store.list(kind))
    .some((workload) => specNumber(workload, "minReadySeconds", 0) > 0);
  const young = (pod: KubeObject) =>
    isReady(pod) && timeOf(pod, "Ready", "lastTransitionTime") !== LONG_AGO;
  const pods = waits ? store.list("Pod").filter(young) : [];
  return [
    ...pods.map((pod) => podAct(store, pod)),
    ...store.list("Deployment").flatMap((deployment) => deploymentAct(store, deployment)),
    ...store.list("Rollout").flatMap((rollout) => pauseAct(store, rollout)),
  ];
}

const texts = new WeakMap<KubeObject, string>();

function cached(object: KubeObject, text: (object: KubeObject) => string): string {
  const cached = texts.get(object);
  if (cached !== undefined) return cached;
  const made = text(object);
  texts.set(object, made);
  return made;
}

/** Labels without those that name the Job, which every pod of one has. */
function labelsOf(pod: KubeObject): Fields {
  const { kind, uid, name } = controllerOf(pod) ?? {};
  const all = Object.entries(pod.metadata.labels ?? {});
  const names = kind === "Job" ? [uid, name] : [];
  return Object.fromEntries(all.filter(([, value]) => !names.includes(value)));
}

function podText(pod: KubeObject): string {
  const isOld = timeOf(pod, "Ready", "lastTransitionTime") === LONG_AGO;
  const owner = controllerOf(pod)?.kind;
  const { name } = pod.metadata;
  // Of a DaemonSet's pod the first letter that is random decides which of two is the older.
  const initial = name.slice(name.lastIndexOf("-") + 1).slice(0, 1);
  const named = owner === "StatefulSet" ? name : owner === "DaemonSet" ? initial : "";
  const { annotations, finalizers } = pod.metadata;
  const flags = [isReady(pod), isOld, isDeleting(pod), pod.spec?.nodeName];
  return canonical([named, annotations, labelsOf(pod), finalizers, phaseOf(pod), flags]);
}

/** Times are told apart as far as it matters: whether they are long ago. */
function withoutTimes(_: string, value: unknown): unknown {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT[\d:]+Z$/.test(value)) return value;
  return value === LONG_AGO ? "old" : "young";
}

function objectText(object: KubeObject): string {
  const { name, generation, annotations, finalizers, labels } = object.metadata;
  const { metadata: _, madeFor: __, sizeBefore: ___, status, ...rest } = object;
  const { uncountedTerminatedPods: ____, active: _____, ...counted } = status ?? {};
  const active = Array.isArray(status?.active) ? status.active.length : status?.active;
  const own = [name, generation, annotations, finalizers, labels, isDeleting(object)];
  const text = JSON.stringify([own, rest, counted, active], withoutTimes);
  return isAlike(object) ? text.replaceAll(object.metadata.uid, "").replaceAll(name, "") : text;
}

function uncounted(job: KubeObject, pods: readonly KubeObject[]): string {
  const lists = job.status?.uncountedTerminatedPods as Record<string, string[]> | undefined;
  const tracked = new Set(pods.map(({ metadata }) => metadata.uid));
  return Object.entries(lists ?? {})
    .map(
      ([name, uids]) => `${name}:${uids.length}:${uids.filter((uid) => tracked.has(uid)).length}`,
    )
    .join();
}

const WORKLOADS = [
  "Deployment",
  "ReplicaSet",
  "StatefulSet",
  "ControllerRevision",
  "DaemonSet",
  "Job",
  "CronJob",
  "Rollout",
  "HeldStatus",
  "ResourceQuota",
  "Node",
];

/**
 * A Job of a CronJob: any of them may be the one that is deleted as the oldest, for those that have
 * ended in the same way are alike.
 */
function isAlike(object: KubeObject): boolean {
  return object.kind === "Job" && controllerOf(object)?.kind === "CronJob";
}

/**
 * All that decides what may happen from here on: equal texts have the same future. Pods of one
 * owner are interchangeable, but for a StatefulSet's, and so are the Jobs of a CronJob.
 */
export function stateText(store: ObjectStore): string {
  const all = WORKLOADS.flatMap((kind) => store.list(kind));
  const alive = new Map(all.map((object) => [object.metadata.uid, object]));
  const pods = Map.groupBy(store.list("Pod"), (pod) => controllerOf(pod)?.uid ?? "");
  const versions = new Set(
    ["Deployment", "Rollout"].flatMap((kind) =>
      store.list(kind).map(({ metadata }) => metadata.resourceVersion),
    ),
  );
  const listed = new Set(
    store
      .list("CronJob")
      .flatMap(activeOf)
      .map(({ uid }) => uid),
  );
  const ofOwner = (owner: string) =>
    (pods.get(owner) ?? [])
      .map((pod) => cached(pod, podText))
      .toSorted()
      .join("\n");
  const lineOf = (object: KubeObject) => {
    const { uid } = object.metadata;
    const owner = controllerOf(object);
    const flags = [
      owner === undefined || alive.has(owner.uid),
      versions.has(String(object.madeFor)),
      unseenSize(store, object),
      listed.has(uid),
    ];
    return [
      cached(object, objectText),
      flags.join(),
      uncounted(object, pods.get(uid) ?? []),
      ofOwner(uid),
    ].join("\n");
  };
  const lines = all
    .filter((object) => !isAlike(object))
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1))
    .map(lineOf);
  const alike = all.filter(isAlike).map(lineOf).toSorted();
  const lost = [...pods.keys()]
    .filter((uid) => !alive.has(uid))
    .map(ofOwner)
    .toSorted();
  return [...lines, ...alike, ...lost].join("\n\n");
}
