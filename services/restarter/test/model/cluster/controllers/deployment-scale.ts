import type { KubeObject } from "../object.ts";
import { isRolling, maxSurge, maxUnavailable } from "./deployment-limits.ts";
import { size, sum } from "./deployment-status.ts";
import type { DeploymentState } from "./deployment-status.ts";
import { specNumber, statusNumber } from "./parts.ts";

/**
 * A ReplicaSet and the size that it is given; `force` writes its annotations even where the size
 * stays.
 */
export type Resize = {
  readonly replicaSet: KubeObject;
  readonly replicas: number;
  readonly force?: true;
};

export const DESIRED = "deployment.kubernetes.io/desired-replicas";
export const MAX = "deployment.kubernetes.io/max-replicas";

const available = (replicaSet: KubeObject) => statusNumber(replicaSet, "availableReplicas");

const wanted = (deployment: KubeObject) => specNumber(deployment, "replicas", 1);

function annotated(replicaSet: KubeObject, name: string): number | undefined {
  const text = replicaSet.metadata.annotations?.[name];
  return text === undefined ? undefined : Number(text);
}

export function sizeAnnotations(deployment: KubeObject): Record<string, string> {
  const desired = wanted(deployment);
  return { [DESIRED]: String(desired), [MAX]: String(desired + maxSurge(deployment)) };
}

/** Whether the resize writes anything. */
export function isNeeded(deployment: KubeObject, { replicaSet, replicas, force }: Resize): boolean {
  if (size(replicaSet) !== replicas) return true;
  const present = replicaSet.metadata.annotations ?? {};
  const annotations = Object.entries(sizeAnnotations(deployment));
  return force === true && annotations.some(([name, value]) => present[name] !== value);
}

const isUp = (replicaSet: KubeObject) => size(replicaSet) > 0;

function everyOne({ newest, old }: DeploymentState): KubeObject[] {
  return newest === undefined ? [...old] : [...old, newest];
}

/** Whether the Deployment was scaled since its ReplicaSets were. */
export function isScalingEvent(state: DeploymentState): boolean {
  return everyOne(state)
    .filter(isUp)
    .map((replicaSet) => annotated(replicaSet, DESIRED))
    .some((desired) => desired !== undefined && desired !== wanted(state.deployment));
}

function isSaturated({ deployment, newest }: DeploymentState): boolean {
  if (newest === undefined) return false;
  const replicas = wanted(deployment);
  return [size(newest), annotated(newest, DESIRED), available(newest)].every((n) => n === replicas);
}

function fraction(replicaSet: KubeObject, deployment: KubeObject): number {
  if (wanted(deployment) === 0) return -size(replicaSet);
  const before = annotated(replicaSet, MAX) ?? statusNumber(deployment, "replicas");
  if (before === 0) return 0;
  const most = wanted(deployment) + maxSurge(deployment);
  return Math.round((size(replicaSet) * most) / before) - size(replicaSet);
}

/**
 * The larger ReplicaSets first; among those of a size the newer where pods are added, else the
 * older.
 */
function bySize(all: readonly KubeObject[], adding: boolean): KubeObject[] {
  const age = adding ? -1 : 1;
  return all.toSorted(
    (a, b) => size(b) - size(a) || (a.metadata.uid < b.metadata.uid ? -age : age),
  );
}

function proportional(state: DeploymentState): Resize[] {
  const { deployment } = state;
  const active = everyOne(state).filter(isUp);
  const most = wanted(deployment) > 0 ? wanted(deployment) + maxSurge(deployment) : 0;
  const missing = most - sum(active, size);
  let added = 0;
  const resizes = bySize(active, missing > 0).map((replicaSet) => {
    const share = fraction(replicaSet, deployment);
    const left = missing - added;
    const part =
      missing === 0 || left === 0 ? 0 : missing > 0 ? Math.min(share, left) : Math.max(share, left);
    added += part;
    return { replicaSet, replicas: size(replicaSet) + part, force: true as const };
  });
  return resizes.map((resize, i) =>
    i === 0 ? { ...resize, replicas: Math.max(0, resize.replicas + missing - added) } : resize,
  );
}

/**
 * How a sync scales that does not roll: while paused, or after somebody has scaled the Deployment.
 */
export function scaling(state: DeploymentState): Resize[] {
  const { deployment, newest, old } = state;
  const active = everyOne(state).filter(isUp);
  const only = active.length === 0 ? (newest ?? old.at(-1)) : active[0];
  if (active.length < 2) {
    return only === undefined ? [] : [{ replicaSet: only, replicas: wanted(deployment) }];
  }
  if (isSaturated(state)) {
    return old.filter(isUp).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  }
  return isRolling(deployment) ? proportional(state) : [];
}

/** The size that a new ReplicaSet may have now. */
export function newSize(state: DeploymentState, present: number): number {
  const { deployment, faults } = state;
  const replicas = wanted(deployment);
  if (!isRolling(deployment) || present > replicas) return replicas;
  const surge = faults.has("ignores-surge") ? replicas : maxSurge(deployment);
  const room = replicas + surge - sum(everyOne(state), size);
  return room <= 0 ? present : present + Math.min(room, replicas - present);
}

function cleanup(old: readonly KubeObject[], limit: number): Resize[] | undefined {
  let left = limit;
  const resizes: Resize[] = [];
  for (const replicaSet of old) {
    const unhealthy = size(replicaSet) - available(replicaSet);
    if (left <= 0 || size(replicaSet) === 0 || unhealthy === 0) continue;
    // More are available than wanted: its own controller is behind, and the sync stops here.
    if (unhealthy < 0) return undefined;
    const gone = Math.min(left, unhealthy);
    resizes.push({ replicaSet, replicas: size(replicaSet) - gone });
    left -= gone;
  }
  return resizes;
}

/**
 * How old ReplicaSets are scaled down while a new one comes up: pods that are not available first.
 */
export function scaleDown(state: DeploymentState): Resize[] {
  const { deployment, newest } = state;
  const old = state.old.filter(isUp);
  if (newest === undefined || old.length === 0) return [];
  const least = wanted(deployment) - maxUnavailable(deployment);
  const limit = sum([...old, newest], size) - least - (size(newest) - available(newest));
  if (limit <= 0) return [];
  const cleaned = cleanup(old, limit);
  if (cleaned === undefined) return [];
  let left = sum([...old, newest], available) - least;
  const cleanedSize = new Map(cleaned.map(({ replicaSet, replicas }) => [replicaSet, replicas]));
  const resizes = [...cleaned];
  for (const replicaSet of old) {
    const present = cleanedSize.get(replicaSet) ?? size(replicaSet);
    if (left <= 0 || present === 0) continue;
    const gone = Math.min(present, left);
    resizes.push({ replicaSet, replicas: present - gone });
    left -= gone;
  }
  return resizes;
}
