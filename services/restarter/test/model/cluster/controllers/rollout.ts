import { dig, parseTime } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { isEqual, refOf } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import { sum } from "./deployment-status.ts";
import {
  hashOf,
  isActive,
  isDeleting,
  omitEmpty,
  ownedBy,
  ownerReference,
  refusalOf,
  removePod,
  specNumber,
  statusNumber,
} from "./parts.ts";
import type { Act } from "./act.ts";

const by = { manager: "rollouts-controller" };
const POD_HASH = "rollouts-pod-template-hash";

type Context = {
  readonly store: ObjectStore;
  readonly rollout: KubeObject;
  /** The workload whose template it takes, where it takes one. */
  readonly lender: KubeObject | undefined;
  readonly template: Fields;
  readonly newest: KubeObject | undefined;
  readonly old: readonly KubeObject[];
};

const size = (replicaSet: KubeObject) => specNumber(replicaSet, "replicas", 1);
const available = (replicaSet: KubeObject) => statusNumber(replicaSet, "availableReplicas");
const wanted = ({ rollout }: Context) => specNumber(rollout, "replicas", 1);

function act({ rollout }: Context, name: string, run: () => void): Act {
  return { name: `Rollout ${rollout.metadata.name}: ${name}`, run };
}

function lenderOf(store: ObjectStore, { spec, metadata }: KubeObject): KubeObject | undefined {
  const kind = dig(spec, "workloadRef", "kind");
  const name = dig(spec, "workloadRef", "name");
  if (typeof kind !== "string" || typeof name !== "string") return undefined;
  const { namespace } = metadata;
  return store.get({ kind, name, ...(namespace === undefined ? {} : { namespace }) });
}

function contextOf(store: ObjectStore, rollout: KubeObject): Context {
  const lender = lenderOf(store, rollout);
  const template = (lender?.spec?.template ?? rollout.spec?.template ?? {}) as Fields;
  const all = ownedBy(store, "ReplicaSet", rollout);
  const hash = hashOf(template);
  const newest = all.find(({ metadata }) => metadata.labels?.[POD_HASH] === hash);
  return { store, rollout, lender, template, newest, old: all.filter((set) => set !== newest) };
}

function newReplicaSet(context: Context): Draft {
  const { rollout, template } = context;
  const { name, namespace } = rollout.metadata;
  const hash = hashOf(template);
  const labels = { ...(dig(template, "metadata", "labels") as Fields), [POD_HASH]: hash };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: labels as Record<string, string>,
      ownerReferences: [ownerReference(rollout)],
    },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { ...template, metadata: { ...(template.metadata as Fields), labels } },
    },
  };
}

function resize(context: Context, replicaSet: KubeObject, replicas: number): Act[] {
  if (size(replicaSet) === replicas) return [];
  const run = () =>
    void context.store.update({ ...replicaSet, spec: { ...replicaSet.spec, replicas } }, by);
  return [act(context, `scale ${replicaSet.metadata.name} to ${replicas}`, run)];
}

/** A canary's step that waits for somebody; its other steps pass at once here. */
function waits({ rollout }: Context): boolean {
  const steps = dig(rollout.spec, "strategy", "canary", "steps");
  return Array.isArray(steps) && steps.some((canaryStep) => dig(canaryStep, "pause") !== undefined);
}

/** Whether everything runs the newest template, as it does before there was another. */
function isStable({ rollout, newest }: Context): boolean {
  const stable = rollout.status?.stableRS;
  return stable === undefined || stable === newest?.metadata.labels?.[POD_HASH];
}

/** Somebody has to promote it: it stands at a pause, or has come to one now. */
function isHeld(context: Context): boolean {
  const { rollout } = context;
  if (isStable(context) || !waits(context)) return false;
  const paused = Array.isArray(rollout.status?.pauseConditions);
  const promoted = rollout.status?.controllerPause === true && !paused;
  const sameTemplate = rollout.status?.currentPodHash === hashOf(context.template);
  return !(promoted && sameTemplate) && rollout.status?.promoteFull !== true;
}

function scaleActs(context: Context): Act[] {
  const { rollout, newest, old } = context;
  if (newest === undefined || rollout.spec?.paused === true) return [];
  const replicas = wanted(context);
  const isAborted = rollout.status?.abort === true && !isStable(context);
  const canary = isHeld(context) ? Math.min(1, replicas) : replicas;
  const up = resize(context, newest, isAborted ? 0 : canary);
  if (up.length > 0) return up;
  const stays = isAborted || isHeld(context);
  if (available(newest) < replicas && !stays) return [];
  const stable = rollout.status?.stableRS;
  return old.flatMap((replicaSet) => {
    const isStableSet = replicaSet.metadata.labels?.[POD_HASH] === stable;
    return resize(context, replicaSet, stays && isStableSet ? replicas : 0);
  });
}

/** Pods that are older than `spec.restartAt`. */
function oldPods({ store, rollout, newest, old }: Context): KubeObject[] {
  const at = parseTime(rollout.spec?.restartAt as string | undefined);
  if (at === undefined || at > store.now()) return [];
  return [...old, ...(newest === undefined ? [] : [newest])]
    .flatMap((replicaSet) => ownedBy(store, "Pod", replicaSet))
    .filter(isActive)
    .filter(({ metadata }) => (parseTime(metadata.creationTimestamp) ?? 0) < at);
}

/** Before the time has come, nothing is known to be restarted. */
function isRestarted(context: Context): boolean {
  const { store, rollout } = context;
  const at = parseTime(rollout.spec?.restartAt as string | undefined);
  return at !== undefined && at <= store.now() && oldPods(context).length === 0;
}

function restartActs(context: Context): Act[] {
  const { store } = context;
  return oldPods(context).map((pod) =>
    act(context, `restart pod ${pod.metadata.name}`, () => removePod(store, pod)),
  );
}

function phaseOf(context: Context, status: Fields): Fields {
  const { rollout, old } = context;
  if (rollout.status?.abort === true && !isStable(context)) {
    const condition = { type: "Progressing", status: "False", reason: "RolloutAborted" };
    return { phase: "Degraded", message: "RolloutAborted", conditions: [condition] };
  }
  if (rollout.spec?.paused === true) return { phase: "Paused", message: "manually paused" };
  if (isHeld(context) && status.pauseConditions !== undefined) {
    return { phase: "Paused", message: "CanaryPauseAct" };
  }
  const replicas = wanted(context);
  const arrived =
    status.updatedReplicas === replicas &&
    status.availableReplicas === replicas &&
    sum(old, (replicaSet) => statusNumber(replicaSet, "replicas")) === 0;
  const condition = { type: "Progressing", status: "True" };
  return arrived
    ? { phase: "Healthy", conditions: [{ ...condition, reason: "NewReplicaSetAvailable" }] }
    : { phase: "Progressing", conditions: [{ ...condition, reason: "ReplicaSetUpdated" }] };
}

function pauses(context: Context): Fields {
  const { store, rollout, newest } = context;
  if (!isHeld(context)) return isStable(context) ? { controllerPause: undefined } : {};
  const reached = newest !== undefined && available(newest) >= Math.min(1, wanted(context));
  if (!reached) return { controllerPause: undefined, pauseConditions: undefined };
  const startTime = timeText(store.now());
  const present = rollout.status?.pauseConditions;
  const pauseConditions = present ?? [{ reason: "CanaryPauseAct", startTime }];
  return { controllerPause: true, pauseConditions };
}

function statusOf(context: Context): Fields {
  const { rollout, lender, newest, old, template } = context;
  const all = newest === undefined ? old : [...old, newest];
  const count = (name: string) => sum(all, (replicaSet) => statusNumber(replicaSet, name));
  const restartAt = rollout.spec?.restartAt;
  const status: Fields = {
    ...rollout.status,
    observedGeneration: String(rollout.metadata.generation),
    ...(lender === undefined
      ? {}
      : { workloadObservedGeneration: String(lender.metadata.generation) }),
    replicas: count("replicas"),
    readyReplicas: count("readyReplicas"),
    availableReplicas: count("availableReplicas"),
    updatedReplicas: newest === undefined ? 0 : statusNumber(newest, "replicas"),
    currentPodHash: hashOf(template),
    ...pauses(context),
    ...(isRestarted(context) ? { restartedAt: restartAt } : {}),
  };
  const { message: _, ...rest } = status;
  const phase = phaseOf(context, status);
  const stable = phase.phase === "Healthy" ? { stableRS: hashOf(template) } : {};
  return omitEmpty({ ...rest, ...phase, ...stable });
}

function ofRollout(context: Context): Act[] {
  const { store, rollout, newest } = context;
  if (isDeleting(rollout)) return [];
  const draft = newReplicaSet(context);
  if (newest === undefined && refusalOf(store, draft) === undefined) {
    // One of a Rollout of this name, deleted before, is collected first.
    if (store.get(refOf(draft as KubeObject)) !== undefined) return [];
    return [act(context, "create a ReplicaSet", () => void store.create(draft, by))];
  }
  const next = statusOf(context);
  const write = () =>
    void store.update({ ...rollout, status: next }, { ...by, subresource: "status" });
  const status = isEqual(rollout.status ?? {}, next) ? [] : [act(context, "status", write)];
  return [...scaleActs(context), ...restartActs(context), ...status];
}

/**
 * What Argo's controller may do next, after its documentation
 * (https://argo-rollouts.readthedocs.io/en/stable/features/specification/): it was not compared,
 * as it does not run in the tests' control plane. A canary without pauses, with a pause that
 * somebody ends, aborts, `restartAt` and `workloadRef`; neither weights nor analyses.
 */
export function acts(store: ObjectStore): Act[] {
  return store.list("Rollout").flatMap((rollout) => ofRollout(contextOf(store, rollout)));
}
