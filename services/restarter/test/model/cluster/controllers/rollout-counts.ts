import type { KubeObject } from "../object.ts";
import { sum } from "./deployment-status.ts";
import { available, currentStep, limitsOf, size, stepsOf, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";

const WHOLE = 100;

/** How many pods the newest ReplicaSet is to have, and the stable one. */
export type Counts = { readonly canary: number; readonly stable: number };

/** The weight of the last `setWeight` up to the present step, in percent. */
function weightOf(context: Context): number {
  const { status } = context.rollout;
  const { stableRS: stable } = status ?? {};
  if (status?.promoteFull === true || stable === undefined) return WHOLE;
  if (status?.currentPodHash === stable) return WHOLE;
  if (status?.abort === true) return 0;
  const { index, step } = currentStep(context);
  if (step === undefined) return WHOLE;
  const passed = stepsOf(context).slice(0, index + 1);
  const last = passed.findLast(({ setWeight }) => typeof setWeight === "number");
  return Number(last?.setWeight ?? 0);
}

/** The split nearest to the weight; the first of those that are equally near. */
function approximate(replicas: number, weight: number, maxSurge: number): Counts {
  if (replicas === 0) return { canary: 0, stable: 0 };
  const exact = (replicas * weight) / WHOLE;
  const [up, down] = [Math.ceil(exact), Math.floor(exact)];
  const mayBeZero = weight === WHOLE || weight === 0 || (replicas === 1 && maxSurge === 0);
  const isTied = (total: number) => up !== down && (weight * total) % WHOLE === WHOLE / 2;
  const mayRoundDown = (total: number) => !isTied(total) && (down !== 0 || mayBeZero);
  const options = [
    ...(up < replicas || mayBeZero ? [[up, replicas] as const] : []),
    ...(mayRoundDown(replicas) ? [[down, replicas] as const] : []),
    ...(maxSurge > 0 ? [[up, replicas + 1] as const] : []),
    ...(maxSurge > 0 && mayRoundDown(replicas + 1) ? [[down, replicas + 1] as const] : []),
  ];
  const away = ([canary, total]: readonly [number, number]) =>
    Math.abs((canary * WHOLE) / total - weight);
  const [first = [0, replicas] as const] = options;
  const [canary, total] = options.reduce(
    (best, next) => (away(next) < away(best) ? next : best),
    first,
  );
  return { canary, stable: total - canary };
}

function forScaleDown(replicaSet: KubeObject | undefined, ignoreAvailability: boolean): number {
  if (replicaSet === undefined) return 0;
  const count = size(replicaSet);
  return ignoreAvailability ? count : Math.min(count, available(replicaSet));
}

type Side = { readonly set: KubeObject | undefined; readonly count: number };

/** Keeps one side that shrinks, and the other, within what may be too many or too few. */
function withinLimits(
  drained: Side,
  other: Side,
  limits: { readonly most: number; readonly least: number },
): readonly [number, number] {
  if (other.set === undefined) return [drained.count, other.count];
  const over = (a: number, b: number) => Math.max(0, a + b - limits.most);
  const availableOf = ({ set }: Side) => (set === undefined ? 0 : available(set));
  const less = other.count - over(other.count, drained.count);
  const stays = Math.min(availableOf(drained), drained.count) + Math.min(availableOf(other), less);
  const lost = Math.max(0, availableOf(other) - less);
  const adjusted = less + Math.min(lost, Math.max(0, limits.least - stays));
  return [drained.count - over(adjusted, drained.count), adjusted];
}

function drainedTo(set: KubeObject | undefined, to: number, by: number, otherwise: number) {
  return set !== undefined && size(set) > to ? Math.max(to, size(set) - by) : otherwise;
}

/** After `CalculateReplicaCountsForBasicCanary` of Argo Rollouts (utils/replicaset/canary.go). */
export function countsOf(context: Context): Counts {
  const { newest, stable: stableSet, others } = context;
  const replicas = wanted(context);
  const { maxSurge, maxUnavailable } = limitsOf(context);
  const hasStable = stableSet !== undefined && stableSet !== newest;
  const desired = hasStable
    ? approximate(replicas, weightOf(context), maxSurge)
    : { canary: replicas, stable: 0 };
  const old = sum(others, size);
  const now = {
    canary: newest === undefined ? 0 : size(newest),
    stable: hasStable ? size(stableSet) : 0,
  };
  let room = replicas + maxSurge - old - now.canary - now.stable;
  let { canary, stable } = now;
  if (hasStable && stable < desired.stable && room > 0) {
    const more = Math.min(room, desired.stable - stable);
    stable += more;
    room -= more;
  }
  if (newest !== undefined && canary < desired.canary && room > 0) {
    canary += Math.min(room, desired.canary - canary);
  }
  if (old > 0) return { canary, stable };
  const least = replicas - maxUnavailable;
  const isIncreasing = newest === undefined || desired.canary >= now.canary;
  const living = forScaleDown(newest, !isIncreasing) + forScaleDown(stableSet, isIncreasing);
  if (living <= least) return { canary, stable };
  const limits = { most: replicas + maxSurge, least };
  if (!isIncreasing) {
    const count = drainedTo(newest, desired.canary, living - least, canary);
    const kept = { set: stableSet, count: stable };
    [canary, stable] = withinLimits({ set: newest, count }, kept, limits);
  } else if (hasStable) {
    const count = drainedTo(stableSet, desired.stable, living - least, stable);
    const kept = { set: newest, count: canary };
    [stable, canary] = withinLimits({ set: stableSet, count }, kept, limits);
  }
  return { canary, stable };
}

/** Whether the ReplicaSets are as the present weight wants them. */
export function isAtWeight(context: Context): boolean {
  const { newest, stable, others } = context;
  const counts = countsOf(context);
  return (
    newest !== undefined &&
    size(newest) === counts.canary &&
    available(newest) === counts.canary &&
    stable !== undefined &&
    size(stable) === counts.stable &&
    Number(stable.status?.replicas ?? 0) === counts.stable &&
    sum(others, available) === 0
  );
}
