import { dig } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { isEqual, refOf } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import { createLate, isBehind } from "./late-creation.ts";
import { isRolling } from "./deployment-limits.ts";
import {
  isNeeded,
  isScalingEvent,
  newSize,
  scaleDown,
  scaling,
  sizeAnnotations,
} from "./deployment-scale.ts";
import type { Resize } from "./deployment-scale.ts";
import {
  hasDeadline,
  isComplete,
  plainStatus,
  rolloutStatus,
  size,
  withCondition,
} from "./deployment-status.ts";
import type { DeploymentState } from "./deployment-status.ts";
import {
  POD_HASH,
  conditionOf,
  conditionsOf,
  hashOf,
  isDeleting,
  ownedBy,
  ownerReference,
  phaseOf,
  refusalOf,
  specNumber,
  statusNumber,
  statusActs,
  writeStatus,
} from "./parts.ts";
import { NO_FAULTS } from "./act.ts";
import type { Faults, Act } from "./act.ts";

const REVISION = "deployment.kubernetes.io/revision";
const HISTORY = "deployment.kubernetes.io/revision-history";
const NOT_COPIED = new Set(["kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY]);
/**
 * The version of the Deployment that a ReplicaSet was made for; a note of the model, not of
 * Kubernetes.
 */
const MADE_FOR = "madeFor";
const by = { manager: "kube-controller-manager" };

type Context = DeploymentState & { readonly store: ObjectStore };

const revision = (object: KubeObject) => Number(object.metadata.annotations?.[REVISION] ?? 0);

/** A ReplicaSet's template without the label that tells it from others. */
function plainTemplate(replicaSet: KubeObject): unknown {
  const template = replicaSet.spec?.template as Fields;
  const { [POD_HASH]: _, ...labels } = (dig(template, "metadata", "labels") ?? {}) as Fields;
  const metadata = { ...(template.metadata as Fields), labels };
  return { ...template, metadata };
}

function contextOf(store: ObjectStore, deployment: KubeObject, faults: Faults): Context {
  const all = ownedBy(store, "ReplicaSet", deployment);
  const template = deployment.spec?.template;
  const newest = all.find((replicaSet) => isEqual(plainTemplate(replicaSet), template));
  const old = all.filter((replicaSet) => replicaSet !== newest);
  return { store, deployment, newest, old, now: store.now(), faults };
}

function act({ deployment }: Context, name: string, run: () => void): Act {
  return { name: `Deployment ${deployment.metadata.name}: ${name}`, run };
}

function resize({ store, deployment }: Context, { replicaSet, replicas }: Resize): void {
  const present = store.get(refOf(replicaSet)) ?? replicaSet;
  const annotations = { ...present.metadata.annotations, ...sizeAnnotations(deployment) };
  const metadata = { ...present.metadata, annotations };
  store.update({ ...present, metadata, spec: { ...present.spec, replicas } }, by);
}

/**
 * The ReplicaSets that one sync scales, by sizes that it has computed before the first: all of
 * them, or those before one that has been written meanwhile, at which the sync ends.
 */
function resizeActs(context: Context, resizes: readonly Resize[]): Act[] {
  const needed = resizes.filter((candidate) => isNeeded(context.deployment, candidate));
  return needed.map((_, i) => {
    const done = needed.slice(0, i + 1);
    const names = done.map(
      ({ replicaSet, replicas }) => `${replicaSet.metadata.name} to ${replicas}`,
    );
    return act(context, `scale ${names.join(", ")}`, () => {
      for (const candidate of done) resize(context, candidate);
    });
  });
}

/** `Progressing` is Unknown while paused, and at first when resumed. */
function pausedAct(context: Context): Act[] {
  const { store, deployment, now } = context;
  const reason = conditionOf(deployment, "Progressing")?.reason;
  if (!hasDeadline(deployment) || reason === "ProgressDeadlineExceeded") return [];
  const paused = deployment.spec?.paused === true;
  if (paused === (reason === "DeploymentPaused")) return [];
  const next = paused ? "DeploymentPaused" : "DeploymentResumed";
  const condition = { type: "Progressing", status: "Unknown", reason: next } as const;
  const conditions = withCondition(conditionsOf(deployment), condition, now);
  const run = () => writeStatus(store, deployment, { ...deployment.status, conditions });
  return [act(context, `condition ${next}`, run)];
}

function copied(deployment: KubeObject): Record<string, string> {
  const all = Object.entries(deployment.metadata.annotations ?? {});
  return Object.fromEntries(all.filter(([name]) => !NOT_COPIED.has(name)));
}

/** The newest ReplicaSet gets the Deployment's annotations, and a revision above all others. */
function annotateAct(context: Context): Act[] {
  const { store, deployment, newest, old } = context;
  if (newest === undefined) return [];
  const present = newest.metadata.annotations ?? {};
  const next = Math.max(0, ...old.map(revision)) + 1;
  const raised = revision(newest) < next;
  const history = [present[HISTORY], present[REVISION]].filter((text) => text !== undefined);
  const annotations = {
    ...present,
    ...copied(deployment),
    ...(raised ? { [REVISION]: String(next) } : {}),
    ...(raised && history.length > 0 ? { [HISTORY]: history.join(",") } : {}),
  };
  const minReadySeconds = specNumber(deployment, "minReadySeconds", 0);
  const same = specNumber(newest, "minReadySeconds", 0) === minReadySeconds;
  if (same && isEqual(annotations, present)) return [];
  const metadata = { ...newest.metadata, annotations };
  const spec = { ...newest.spec, minReadySeconds };
  return [
    act(context, `annotate ${newest.metadata.name}`, () => {
      store.update({ ...newest, metadata, spec }, by);
    }),
  ];
}

/**
 * The Deployment gets the revision of its newest ReplicaSet, and says that this is new or was
 * there.
 */
function revisionActs(context: Context): Act[] {
  const { store, deployment, newest, now } = context;
  if (newest === undefined) return [];
  const missing = hasDeadline(deployment) && conditionOf(deployment, "Progressing") === undefined;
  const behind = revision(deployment) !== revision(newest);
  if (!behind && !missing) return [];
  const annotations = { ...deployment.metadata.annotations, [REVISION]: String(revision(newest)) };
  const object = { ...deployment, metadata: { ...deployment.metadata, annotations } };
  const write = (reason: string | undefined) => {
    if (reason === undefined) return writeStatus(store, object, deployment.status ?? {});
    const condition = { type: "Progressing", status: "True", reason } as const;
    const conditions = withCondition(conditionsOf(deployment), condition, now);
    return writeStatus(store, object, { ...deployment.status, conditions });
  };
  // Written in the sync that made it, unless somebody has written the Deployment meanwhile.
  const isMade = newest[MADE_FOR] === deployment.metadata.resourceVersion;
  const made = act(context, "created a ReplicaSet", () => write("NewReplicaSetCreated"));
  const existingAct = act(context, "found its ReplicaSet", () =>
    write(missing ? "FoundNewReplicaSet" : undefined),
  );
  return [isMade && hasDeadline(deployment) ? made : existingAct];
}

type Made = { readonly collisions: number; readonly madeFor: string };

function newReplicaSet(context: Context, { collisions, madeFor }: Made): Draft {
  const { deployment, old } = context;
  const template = deployment.spec?.template as Fields;
  const hash = hashOf(collisions === 0 ? template : [template, collisions]);
  const { name, namespace } = deployment.metadata;
  const labels = {
    ...(dig(template, "metadata", "labels") as Record<string, string>),
    [POD_HASH]: hash,
  };
  const selector = deployment.spec?.selector as Fields | undefined;
  const next = Math.max(0, ...old.map(revision)) + 1;
  const annotations = { ...copied(deployment), ...sizeAnnotations(deployment) };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: { ...annotations, [REVISION]: String(next) },
      ownerReferences: [ownerReference(deployment)],
    },
    [MADE_FOR]: madeFor,
    spec: {
      replicas: newSize(context, 0),
      minReadySeconds: specNumber(deployment, "minReadySeconds", 0),
      selector: { matchLabels: { ...(selector?.matchLabels as Fields), [POD_HASH]: hash } },
      template: { ...template, metadata: { ...(template.metadata as Fields), labels } },
    },
  };
}

/**
 * The ReplicaSet of this name is another Deployment's, which was deleted: the next one is named
 * otherwise.
 */
function collide({ store, deployment }: Context): void {
  const collisionCount = statusNumber(deployment, "collisionCount") + 1;
  writeStatus(store, deployment, { ...deployment.status, collisionCount });
}

function isObserved({ status, metadata }: KubeObject): boolean {
  return status?.observedGeneration === metadata.generation;
}

/**
 * Where the controller has written the Deployment since it was edited, it may act once more on what
 * it was before.
 */
function staleReplicaSets(context: Context, collisions: number): Draft[] {
  const { deployment } = context;
  const isResumed = conditionOf(deployment, "Progressing")?.reason === "DeploymentResumed";
  const stale = (count: number) => newReplicaSet(context, { collisions: count, madeFor: "" });
  return [
    ...(collisions > 0 ? [stale(collisions - 1)] : []),
    ...(isResumed || isObserved(deployment) ? [stale(collisions)] : []),
  ];
}

function createActs(context: Context): Act[] {
  const { store, deployment, now } = context;
  const collisions = statusNumber(deployment, "collisionCount");
  const draft = newReplicaSet(context, {
    collisions,
    madeFor: deployment.metadata.resourceVersion,
  });
  const refused = refusalOf(store, draft);
  if (refused === undefined) {
    const stale = staleReplicaSets(context, collisions);
    const isFree = (made: Draft) => store.get(refOf(made as KubeObject)) === undefined;
    const made = [draft, ...stale]
      .filter(isFree)
      .map((candidate) =>
        act(context, `create ${candidate.metadata.name}`, () => void store.create(candidate, by)),
      );
    return isFree(draft) ? made : [...made, act(context, "collide", () => collide(context))];
  }
  if (!hasDeadline(deployment)) return [];
  const condition = {
    type: "Progressing",
    status: "False",
    reason: "ReplicaSetCreateError",
    message: refused.message,
  } as const;
  const conditions = withCondition(conditionsOf(deployment), condition, now);
  return statusActs(store, deployment, { ...deployment.status, conditions });
}

/** Old ReplicaSets beyond the limit of the history. */
function historyActs(context: Context): Act[] {
  const { store, deployment, old } = context;
  if (!isComplete(deployment, deployment.status)) return [];
  const beyond = old.length - specNumber(deployment, "revisionHistoryLimit", 10);
  return old
    .toSorted((a, b) => revision(a) - revision(b))
    .slice(0, Math.max(0, beyond))
    .filter((replicaSet) => size(replicaSet) === 0 && statusNumber(replicaSet, "replicas") === 0)
    .map((replicaSet) =>
      act(
        context,
        `delete ${replicaSet.metadata.name}`,
        () => void store.remove(refOf(replicaSet)),
      ),
    );
}

function rollingActs(context: Context): Act[] {
  const { store, deployment, newest, faults } = context;
  const status = () => statusActs(store, deployment, rolloutStatus(context));
  if (newest === undefined) {
    return faults.has("observes-early") && !isObserved(deployment) ? status() : createActs(context);
  }
  const up = resizeActs(context, [
    { replicaSet: newest, replicas: newSize(context, size(newest)) },
  ]);
  const scale = up.length > 0 ? up : resizeActs(context, scaleDown(context));
  return [...scale, ...historyActs(context), ...status()];
}

function hasOldPods({ store, old }: Context): boolean {
  const running = (replicaSet: KubeObject) =>
    ownedBy(store, "Pod", replicaSet).some(
      (pod) => !["Succeeded", "Failed"].includes(phaseOf(pod)),
    );
  return old.some((replicaSet) => statusNumber(replicaSet, "replicas") > 0 || running(replicaSet));
}

/**
 * Scaled down before their own controller has created all pods of the size before: it may still do
 * so.
 */
function lateActs(context: Context, down: readonly Act[]): Act[] {
  const { store, old } = context;
  const behind = old.filter((replicaSet) => isBehind(store, replicaSet));
  if (behind.length === 0) return [];
  return down.map(({ name, run }) => ({
    name: `${name}, before all pods are there`,
    run: () => {
      for (const replicaSet of behind) createLate(store, replicaSet);
      run();
    },
  }));
}

function recreateActs(context: Context): Act[] {
  const { store, deployment, newest, old } = context;
  const status = statusActs(store, deployment, rolloutStatus(context));
  const down = resizeActs(
    context,
    old.map((replicaSet) => ({ replicaSet, replicas: 0 })),
  );
  if (down.length > 0) return [...down, ...lateActs(context, down), ...status];
  if (hasOldPods(context)) return status;
  // Its status is written first or not at all in this sync, as its ReplicaSet is not there yet.
  if (newest === undefined) return createActs(context);
  const replicas = specNumber(deployment, "replicas", 1);
  return [
    ...resizeActs(context, [{ replicaSet: newest, replicas }]),
    ...historyActs(context),
    ...status,
  ];
}

function ofDeployment(context: Context): Act[] {
  const { store, deployment } = context;
  const plain = () => statusActs(store, deployment, plainStatus(context));
  if (isDeleting(deployment)) return plain();
  for (const first of [pausedAct, annotateAct, revisionActs]) {
    const acts = first(context);
    if (acts.length > 0) return acts;
  }
  if (deployment.spec?.paused === true || isScalingEvent(context)) {
    return [...resizeActs(context, scaling(context)), ...plain()];
  }
  return isRolling(deployment) ? rollingActs(context) : recreateActs(context);
}

/**
 * What the Deployment controller may do next. A status may be written before the ReplicaSets are
 * scaled that belong to the same sync: it is computed from before, so whoever reads the Deployment
 * alone sees the same.
 */
export function acts(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  return store
    .list("Deployment")
    .flatMap((deployment) => ofDeployment(contextOf(store, deployment, faults)));
}
