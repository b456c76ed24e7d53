import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { adoptActs } from "./adoption.ts";
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
  plainStatus,
  rolloutStatus,
  size,
  withCondition,
} from "./deployment-status.ts";
import {
  conditionOf,
  conditionsOf,
  isDeleting,
  ownedBy,
  phaseOf,
  specNumber,
  statusNumber,
  statusActs,
  writeStatus,
} from "./parts.ts";
import { act, by, contextOf, isObserved, staleContexts } from "./deployment-context.ts";
import type { Context } from "./deployment-context.ts";
import { createActs } from "./deployment-create.ts";
import { annotateAct, historyActs, revisionActs } from "./deployment-revisions.ts";
import { SIZE_BEFORE } from "./unseen-size.ts";
import { NO_FAULTS } from "./act.ts";
import type { Faults, Act } from "./act.ts";

function resize({ store, deployment }: Context, { replicaSet, replicas }: Resize): void {
  const present = store.get(refOf(replicaSet)) ?? replicaSet;
  const annotations = { ...present.metadata.annotations, ...sizeAnnotations(deployment) };
  const metadata = { ...present.metadata, annotations };
  const spec = { ...present.spec, replicas };
  store.update({ ...present, metadata, spec, [SIZE_BEFORE]: size(present) }, by);
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

function scaleUp(context: Context, newest: KubeObject): Act[] {
  const replicas = newSize(context, size(newest));
  return resizeActs(context, [{ replicaSet: newest, replicas }]);
}

function rollingActs(context: Context): Act[] {
  const { store, deployment, newest, faults } = context;
  const status = () => statusActs(store, deployment, rolloutStatus(context));
  if (newest === undefined) {
    return faults.has("observes-early") && !isObserved(deployment) ? status() : createActs(context);
  }
  const up = scaleUp(context, newest);
  const scale = up.length > 0 ? up : resizeActs(context, scaleDown(context));
  const late = staleContexts(context).flatMap((stale) => scaleUp(stale, newest));
  return [...scale, ...late, ...historyActs(context), ...status()];
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
  const adoption = adoptActs(store, "ReplicaSet", deployment);
  if (adoption.length > 0) return adoption;
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
