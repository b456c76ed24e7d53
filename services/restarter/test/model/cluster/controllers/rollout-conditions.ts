import { parseTime } from "@rollcast/kube/object";
import type { Fields } from "../object.ts";
import { timeText } from "../store-state.ts";
import { available, currentStep, isPausedByOwner, stepsOf, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";
import { sum } from "./deployment-status.ts";
import { conditionOf, specNumber } from "./parts.ts";

const DEADLINE = 600;

const count = (status: Fields, name: string) => Number(status[name] ?? 0);
const listOf = (status: Fields) => (status.conditions ?? []) as readonly Fields[];
const conditionIn = (status: Fields, type: string) =>
  listOf(status).find((condition) => condition.type === type);

/** Status with a condition; it is left alone where it says the same already, unless renewed. */
export function withCondition(
  context: Context,
  status: Fields,
  condition: readonly [type: string, status: string, reason: string],
  renewed = false,
): Fields {
  const [type, value, reason] = condition;
  const present = conditionIn(status, type);
  if (!renewed && present?.status === value && present.reason === reason) return status;
  const lastUpdateTime = timeText(context.store.now());
  const others = listOf(status).filter((other) => other.type !== type);
  return { ...status, conditions: [...others, { type, status: value, reason, lastUpdateTime }] };
}

export const isPromoted = (status: Fields) =>
  status.stableRS !== undefined && status.stableRS === status.currentPodHash;

function isHealthy(context: Context, status: Fields): boolean {
  const replicas = wanted(context);
  const { rollout } = context;
  const steps = stepsOf(context).length;
  const index = status.currentStepIndex;
  return (
    (steps === 0 || index === undefined || index === steps) &&
    isPromoted(status) &&
    ["replicas", "updatedReplicas", "availableReplicas"].every(
      (name) => count(status, name) === replicas,
    ) &&
    rollout.status?.observedGeneration === String(rollout.metadata.generation)
  );
}

function hasProgressed(context: Context, status: Fields): boolean {
  const before = context.rollout.status ?? {};
  const old = (of: Fields) => count(of, "replicas") - count(of, "updatedReplicas");
  const { currentStepIndex: from } = before;
  const { currentStepIndex: to } = status;
  return (
    status.stableRS !== before.stableRS ||
    (to !== undefined && from !== undefined && to !== from) ||
    status.currentStepHash !== before.currentStepHash ||
    count(status, "updatedReplicas") !== count(before, "updatedReplicas") ||
    old(status) < old(before) ||
    count(status, "readyReplicas") > count(before, "readyReplicas") ||
    count(status, "availableReplicas") > count(before, "availableReplicas")
  );
}

/** Steps that take as long as they take do not count against the deadline. */
function isIndefinite(context: Context): boolean {
  const { step } = currentStep(context);
  const paused = conditionOf(context.rollout, "Paused")?.status === "True";
  return step?.pause !== undefined || paused;
}

function hasTimedOut(context: Context, status: Fields): boolean {
  const condition = conditionIn(status, "Progressing");
  const reason = condition?.reason;
  if (condition === undefined || reason === "RolloutAborted" || reason === "RolloutPaused") {
    return false;
  }
  if (reason === "ProgressDeadlineExceeded") return true;
  const since = parseTime(String(condition.lastUpdateTime)) ?? 0;
  const seconds = specNumber(context.rollout, "progressDeadlineSeconds", DEADLINE);
  return since + seconds * 1_000 < context.store.now();
}

function withProgress(context: Context, status: Fields, becameUnhealthy: boolean): Fields {
  if (isHealthy(context, status)) {
    return withCondition(context, status, ["Progressing", "True", "NewReplicaSetAvailable"]);
  }
  if (hasProgressed(context, status) || becameUnhealthy) {
    const isAgain = isPromoted(status) && becameUnhealthy;
    const reason = isAgain ? "ReplicaSetNotAvailable" : "ReplicaSetUpdated";
    return withCondition(context, status, ["Progressing", "True", reason], true);
  }
  if (isIndefinite(context) || !hasTimedOut(context, status)) return status;
  return withCondition(context, status, ["Progressing", "False", "ProgressDeadlineExceeded"]);
}

/** After `calculateRolloutConditions` of Argo Rollouts (rollout/sync.go). */
export function withConditions(context: Context, given: Fields, isAborted: boolean): Fields {
  const isPaused = given.pauseConditions !== undefined || isPausedByOwner(context);
  let status = given;
  let becameUnhealthy = false;
  if (!isPaused && isHealthy(context, status)) {
    status = withCondition(context, status, ["Healthy", "True", "RolloutHealthy"]);
  } else if (conditionOf(context.rollout, "Healthy") !== undefined) {
    const unhealthy = withCondition(context, status, ["Healthy", "False", "RolloutHealthy"]);
    becameUnhealthy = unhealthy !== status;
    status = unhealthy;
  }
  status = isAborted
    ? withCondition(context, status, ["Progressing", "False", "RolloutAborted"])
    : withProgress(context, status, becameUnhealthy);
  const isAvailable = sum(context.all, available) >= wanted(context) ? "True" : "False";
  status = withCondition(context, status, ["Available", isAvailable, "AvailableReason"]);
  const completed = isPromoted(status) ? "True" : "False";
  return withCondition(context, status, ["Completed", completed, "RolloutCompleted"]);
}

/** After `checkPausedConditions`, which comes before all else; the same status where it fits. */
export function withPausedConditions(context: Context): Fields {
  const status = context.rollout.status ?? {};
  const reason = conditionIn(status, "Progressing")?.reason;
  const isPaused = status.pauseConditions !== undefined || isPausedByOwner(context);
  const wasAborted = reason === "RolloutAborted";
  let next = status;
  if (isPaused !== (reason === "RolloutPaused") && !wasAborted && !isPromoted(status)) {
    const now = isPaused ? "RolloutPaused" : "RolloutResumed";
    next = withCondition(context, next, ["Progressing", "Unknown", now]);
  }
  if (status.abort !== true && wasAborted) {
    next = withCondition(context, next, ["Progressing", "Unknown", "RolloutRetry"]);
  }
  const shown = conditionIn(status, "Paused")?.status === "True";
  if (isPaused === shown || wasAborted) return next;
  return withCondition(context, next, ["Paused", isPaused ? "True" : "False", "RolloutPaused"]);
}
