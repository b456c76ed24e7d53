import { parseTime } from "@rollcast/kube/object";
import type { Fields, KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import { conditionOf, conditionsOf, omitEmpty, specNumber, statusNumber } from "./parts.ts";
import { maxUnavailable } from "./deployment-limits.ts";
import type { Faults } from "./act.ts";

export type DeploymentState = {
  readonly deployment: KubeObject;
  readonly newest: KubeObject | undefined;
  readonly old: readonly KubeObject[];
  readonly now: number;
  readonly faults: Faults;
};

type Condition = {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
};

const NO_DEADLINE = 2_147_483_647;

export function hasDeadline(deployment: KubeObject): boolean {
  return specNumber(deployment, "progressDeadlineSeconds", NO_DEADLINE) !== NO_DEADLINE;
}

/** Sets a condition; one of the same status and reason stays as it is. */
export function withCondition(
  conditions: readonly Fields[],
  condition: Condition & { readonly message?: string },
  now: number,
): Fields[] {
  const present = conditions.find(({ type }) => type === condition.type);
  if (present?.status === condition.status && present.reason === condition.reason) {
    return [...conditions];
  }
  return replaced(conditions, condition, now);
}

function replaced(
  conditions: readonly Fields[],
  condition: Condition & { readonly message?: string },
  now: number,
): Fields[] {
  const present = conditions.find(({ type }) => type === condition.type);
  const same = present?.status === condition.status;
  const next = {
    ...condition,
    lastUpdateTime: timeText(now),
    lastTransitionTime: same ? present?.lastTransitionTime : timeText(now),
  };
  return [...conditions.filter(({ type }) => type !== condition.type), next];
}

export function sum(objects: readonly KubeObject[], count: (object: KubeObject) => number): number {
  return objects.reduce((total, object) => total + count(object), 0);
}

export const size = (replicaSet: KubeObject) => specNumber(replicaSet, "replicas", 1);

/** The status that a sync writes which does not roll: while paused or scaled. */
export function plainStatus({ deployment, newest, old, now }: DeploymentState): Fields {
  const all = newest === undefined ? old : [...old, newest];
  const available = sum(all, (object) => statusNumber(object, "availableReplicas"));
  const least = specNumber(deployment, "replicas", 1) - maxUnavailable(deployment);
  const condition: Condition =
    available >= least
      ? { type: "Available", status: "True", reason: "MinimumReplicasAvailable" }
      : { type: "Available", status: "False", reason: "MinimumReplicasUnavailable" };
  return omitEmpty({
    observedGeneration: deployment.metadata.generation,
    replicas: sum(all, (object) => statusNumber(object, "replicas")),
    updatedReplicas: newest === undefined ? 0 : statusNumber(newest, "replicas"),
    readyReplicas: sum(all, (object) => statusNumber(object, "readyReplicas")),
    availableReplicas: available,
    collisionCount: statusNumber(deployment, "collisionCount"),
    unavailableReplicas: Math.max(0, sum(all, size) - available),
    conditions: withCondition(conditionsOf(deployment), condition, now),
  });
}

const count = (status: Fields | undefined, name: string) => Number(status?.[name] ?? 0);

export function isComplete(deployment: KubeObject, status: Fields | undefined): boolean {
  const wanted = specNumber(deployment, "replicas", 1);
  return (
    count(status, "updatedReplicas") === wanted &&
    count(status, "replicas") === wanted &&
    count(status, "availableReplicas") === wanted &&
    count(status, "observedGeneration") >= (deployment.metadata.generation ?? 0)
  );
}

function progresses(deployment: KubeObject, status: Fields): boolean {
  const before = deployment.status;
  const left = (of: Fields | undefined) => count(of, "replicas") - count(of, "updatedReplicas");
  return (
    count(status, "updatedReplicas") > count(before, "updatedReplicas") ||
    left(status) < left(before) ||
    count(status, "readyReplicas") > count(before, "readyReplicas") ||
    count(status, "availableReplicas") > count(before, "availableReplicas")
  );
}

function isTimedOut({ deployment, now, faults }: DeploymentState): boolean {
  const progressing = conditionOf(deployment, "Progressing");
  if (progressing === undefined || faults.has("never-times-out")) return false;
  if (progressing.reason === "NewReplicaSetAvailable") return false;
  if (progressing.reason === "ProgressDeadlineExceeded") return true;
  const from = parseTime(String(progressing.lastUpdateTime)) ?? now;
  return from + specNumber(deployment, "progressDeadlineSeconds", 0) * 1_000 < now;
}

function progressing(state: DeploymentState, status: Fields): Fields[] {
  const { deployment, now } = state;
  const conditions = status.conditions as Fields[];
  const set = (value: Condition["status"], reason: string) =>
    withCondition(conditions, { type: "Progressing", status: value, reason }, now);
  if (!hasDeadline(deployment)) return conditions.filter(({ type }) => type !== "Progressing");
  const present = conditionOf(deployment, "Progressing");
  const arrived =
    count(status, "replicas") === count(status, "updatedReplicas") &&
    present?.reason === "NewReplicaSetAvailable";
  if (arrived) return conditions;
  if (isComplete(deployment, status)) return set("True", "NewReplicaSetAvailable");
  if (progresses(deployment, status)) {
    const condition: Condition = {
      type: "Progressing",
      status: "True",
      reason: "ReplicaSetUpdated",
    };
    return replaced(conditions, condition, now);
  }
  return isTimedOut(state) ? set("False", "ProgressDeadlineExceeded") : conditions;
}

function replicaFailure({ newest, old }: DeploymentState): Fields | undefined {
  const all = newest === undefined ? old : [newest, ...old];
  return all
    .map((replicaSet) => conditionOf(replicaSet, "ReplicaFailure"))
    .find((condition) => condition !== undefined);
}

/** The status that a sync writes which rolls. */
export function rolloutStatus(state: DeploymentState): Fields {
  const status = plainStatus(state);
  const conditions = progressing(state, status);
  const failure = replicaFailure(state);
  const withFailure =
    failure === undefined
      ? conditions.filter(({ type }) => type !== "ReplicaFailure")
      : withCondition(conditions, failure as Condition, state.now);
  return omitEmpty({ ...status, conditions: withFailure });
}
