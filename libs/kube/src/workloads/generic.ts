import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { escapePointer } from "../json-pointer.ts";
import { condition, conditionId, sentence } from "./conditions.ts";
import type { Condition } from "./conditions.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";

/**
 * A custom resource with a pod template, as the configuration names it; `templatePath` with dots,
 * as `kubectl explain` takes it.
 */
export type GenericKind = {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly templatePath: string;
};

/** Conditions that say that all is well when they are true. */
const HEALTHY = ["Ready", "Available"];
/** A Deployment's `Progressing` stays true when it has come to its end. */
const ARRIVED = "NewReplicaSetAvailable";

/** Some controllers write it as text. */
function observedGeneration(object: KubeObject): number | undefined {
  const observed = dig(object, "status", "observedGeneration");
  if (typeof observed !== "number" && typeof observed !== "string") return undefined;
  const number = Number(observed);
  return Number.isInteger(number) ? number : undefined;
}

function isOld(reported: Condition | undefined, generation: number): boolean {
  return reported?.observedGeneration !== undefined && reported.observedGeneration < generation;
}

/** Conditions of kstatus that are there only, or are true, while something is not well. */
const ABNORMAL = ["Stalled", "Reconciling"];

/** Whether the controller has said something of an earlier generation, and nothing of this one. */
function isBehind(object: KubeObject): boolean {
  const generation = object.metadata.generation ?? 0;
  const normal = [...HEALTHY, "Progressing"].map((type) => condition(object, type));
  // One that is false may have been left as it was.
  const wrong = ABNORMAL.map((type) => condition(object, type)).filter(
    (reported) => reported?.status === "True",
  );
  return [...normal, ...wrong].some((reported) => isOld(reported, generation));
}

function failure(object: KubeObject): RolloutStatus | undefined {
  const stalled = condition(object, "Stalled");
  const progressing = condition(object, "Progressing");
  const failed = stalled?.status === "True" ? stalled : undefined;
  const timedOut = progressing?.reason === "ProgressDeadlineExceeded" ? progressing : undefined;
  const why = failed ?? timedOut;
  if (why === undefined) return undefined;
  return {
    state: "failed",
    reason: why.reason ?? "Failed",
    message: sentence(why.message),
    // One that was looked at anew for the patch, and is as it was, is a failure of that.
    condition: `${why.observedGeneration ?? observedGeneration(object) ?? ""} ${conditionId(why)}`,
  };
}

/**
 * What the conditions say that exist: those of kstatus, and those of a Deployment.
 * https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus
 */
function byConditions(object: KubeObject): RolloutStatus | undefined {
  if (isBehind(object)) return { state: "unobserved", before: failure(object) };
  const progressing = condition(object, "Progressing");
  const moving = condition(object, "Reconciling")?.status === "True";
  const healthy = HEALTHY.map((type) => condition(object, type)).filter(
    (reported) => reported !== undefined,
  );
  const failed = failure(object);
  if (failed !== undefined) return failed;
  const rolling = progressing?.status === "True" && progressing.reason !== ARRIVED;
  const not = healthy.find((reported) => reported.status !== "True");
  if (moving || rolling || not !== undefined) {
    return { state: "progressing", message: sentence(not?.type, not?.reason, not?.message) };
  }
  const isSaid = healthy.length > 0 || progressing !== undefined;
  return isSaid ? { state: "complete" } : undefined;
}

/** Counts of pods as workload controllers write them: of a CloneSet, and of a Deployment. */
const READY_COUNTS = ["updatedReadyReplicas", "readyReplicas", "availableReplicas"];

/** How far its counts of pods are; undefined where all that are there have come to the end. */
function shortOf(object: KubeObject, updated: number): string | undefined {
  // Where its spec says none, as of one that is scaled by something else, there are so many.
  const wanted = digNumber(object, digNumber(object, 0, "status", "replicas"), "spec", "replicas");
  if (updated < wanted) return `${updated} of ${wanted} replicas are updated`;
  const counts = READY_COUNTS.map((name) => dig(object, "status", name));
  const ready = Math.min(...counts.filter((count) => typeof count === "number"), wanted);
  return ready < wanted ? `${ready} of ${wanted} replicas are ready` : undefined;
}

function status(object: KubeObject): RolloutStatus {
  const observed = observedGeneration(object);
  if (observed !== undefined && observed < (object.metadata.generation ?? 0)) {
    return { state: "unobserved", before: failure(object) };
  }
  const conditionStatus = byConditions(object);
  if (conditionStatus !== undefined && conditionStatus.state !== "complete") return conditionStatus;
  const updated = dig(object, "status", "updatedReplicas");
  const short = typeof updated === "number" ? shortOf(object, updated) : undefined;
  if (short !== undefined) return { state: "progressing", message: short };
  if (conditionStatus !== undefined || typeof updated === "number") return { state: "complete" };
  const message = "its status says nothing of rollouts";
  return { state: "complete", reason: "NoStatus", message };
}

/** A kind that Rollcast knows by configuration alone. */
export function genericKind({ templatePath, ...kind }: GenericKind): WorkloadKind {
  const path = templatePath.split(".");
  const paused = (object: KubeObject) => dig(object, "spec", "paused") === true;
  return {
    ...kind,
    optional: true,
    templatePath: `/${path.map(escapePointer).join("/")}`,
    template: (object) => dig(object, ...path) as PodTemplate | undefined,
    status,
    paused,
    restartsOnEdit: (object) => !paused(object),
    deadlineMs: () => undefined,
  };
}
