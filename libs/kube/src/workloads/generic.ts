import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { escapePointer } from "../json-pointer.ts";
import { condition, sentence } from "./conditions.ts";
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

function failure(object: KubeObject): RolloutStatus | undefined {
  const stalled = condition(object, "Stalled");
  const progressing = condition(object, "Progressing");
  const failed = stalled?.status === "True" ? stalled : undefined;
  const timedOut = progressing?.reason === "ProgressDeadlineExceeded" ? progressing : undefined;
  const why = failed ?? timedOut;
  if (why === undefined) return undefined;
  return { state: "failed", reason: why.reason ?? "Failed", message: sentence(why.message) };
}

/**
 * What the conditions say that exist: those of kstatus, and those of a Deployment.
 * https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus
 */
function byConditions(object: KubeObject): RolloutStatus | undefined {
  const generation = object.metadata.generation ?? 0;
  const progressing = condition(object, "Progressing");
  const moving = condition(object, "Reconciling")?.status === "True";
  const healthy = HEALTHY.map((type) => condition(object, type)).filter(
    (reported) => reported !== undefined,
  );
  const all = [...healthy, ...(progressing === undefined ? [] : [progressing])];
  if (all.some((reported) => isOld(reported, generation))) return { state: "unobserved" };
  const failed = failure(object);
  if (failed !== undefined) return failed;
  const rolling = progressing?.status === "True" && progressing.reason !== ARRIVED;
  const not = healthy.find((reported) => reported.status !== "True");
  if (moving || rolling || not !== undefined) {
    return { state: "progressing", message: sentence(not?.type, not?.reason, not?.message) };
  }
  return all.length === 0 ? undefined : { state: "complete" };
}

function status(object: KubeObject): RolloutStatus {
  const observed = observedGeneration(object);
  if (observed !== undefined && observed < (object.metadata.generation ?? 0)) {
    return { state: "unobserved" };
  }
  const conditionStatus = byConditions(object);
  if (conditionStatus !== undefined && conditionStatus.state !== "complete") return conditionStatus;
  const wanted = digNumber(object, 0, "spec", "replicas");
  const updated = dig(object, "status", "updatedReplicas");
  if (typeof updated === "number" && updated < wanted) {
    return { state: "progressing", message: `${updated} of ${wanted} replicas are updated` };
  }
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
