import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { condition, conditionId, refusedReplicas, sentence } from "./conditions.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";
import { replicasStatus } from "./replicas.ts";

const paused = (object: KubeObject) => dig(object, "spec", "paused") === true;

/**
 * Whether an edit of the template begins a rollout: without triggers it does, with an empty list or
 * others it does not.
 */
function rollsOnEdit(object: KubeObject): boolean {
  const triggers = dig(object, "spec", "triggers");
  return (
    !Array.isArray(triggers) || triggers.some((trigger) => dig(trigger, "type") === "ConfigChange")
  );
}

function failure(object: KubeObject): RolloutStatus | undefined {
  const progressing = condition(object, "Progressing");
  const isLate = progressing?.reason === "ProgressDeadlineExceeded";
  if (progressing === undefined || (!isLate && progressing.status !== "False")) return undefined;
  const { reason = "Failed" } = progressing;
  const message = sentence(progressing.message, refusedReplicas(object));
  return { state: "failed", reason, message, condition: conditionId(progressing) };
}

/**
 * The rules of `oc rollout status`, https://github.com/openshift/oc (DeploymentConfigStatusViewer).
 */
function status(object: KubeObject): RolloutStatus {
  const generation = object.metadata.generation ?? 0;
  if (digNumber(object, -1, "status", "observedGeneration") < generation) {
    return { state: "unobserved", before: failure(object) };
  }
  if (!rollsOnEdit(object)) {
    const message =
      "it has no ConfigChange trigger: its pods restart with the next rollout that its owner starts";
    return { state: "complete", reason: "Manual", message };
  }
  const failed = failure(object);
  if (failed !== undefined) return failed;
  return replicasStatus(object, digNumber(object, 1, "spec", "replicas"));
}

export const deploymentConfig: WorkloadKind = {
  kind: "DeploymentConfig",
  group: "apps.openshift.io",
  version: "v1",
  plural: "deploymentconfigs",
  optional: true,
  templatePath: "/spec/template",
  template: (object) => dig(object, "spec", "template") as PodTemplate | undefined,
  revision: (object) => digNumber(object, 0, "status", "latestVersion"),
  status,
  paused,
  restartsOnEdit: (object) => !paused(object) && rollsOnEdit(object),
  deadlineMs(object) {
    const path = ["spec", "strategy", "rollingParams", "timeoutSeconds"];
    return digNumber(object, 600, ...path) * 1_000;
  },
};
