import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { condition, conditionId, refusedReplicas, sentence } from "./conditions.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";
import { progressDeadlineMs } from "./progress-deadline.ts";
import { replicasStatus } from "./replicas.ts";

function failure(object: KubeObject): RolloutStatus | undefined {
  const progressing = condition(object, "Progressing");
  if (progressing?.reason !== "ProgressDeadlineExceeded") return undefined;
  return {
    state: "failed",
    reason: progressing.reason,
    message: sentence(progressing.message, refusedReplicas(object)),
    // A change of size may be answered with the patch's generation and the conditions of before.
    condition: conditionId(progressing),
  };
}

/**
 * Its controller could not create the new ReplicaSet, for a quota or a policy: it says so without
 * raising `observedGeneration`,
 * https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/controller/deployment/sync.go
 * (getNewReplicaSet).
 */
function unobserved(object: KubeObject): RolloutStatus {
  const { status: state, reason, message = "" } = condition(object, "Progressing") ?? {};
  if (state !== "False" || reason !== "ReplicaSetCreateError") {
    return { state: "unobserved", before: failure(object) };
  }
  return { state: "unobserved", message, refused: { reason, message } };
}

/**
 * https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
 * (DeploymentStatusViewer)
 */
function status(object: KubeObject): RolloutStatus {
  const generation = object.metadata.generation ?? 0;
  if (digNumber(object, -1, "status", "observedGeneration") < generation) {
    return unobserved(object);
  }
  const failed = failure(object);
  if (failed !== undefined) return failed;
  return replicasStatus(object, digNumber(object, 1, "spec", "replicas"));
}

export const deployment: WorkloadKind = {
  kind: "Deployment",
  group: "apps",
  version: "v1",
  plural: "deployments",
  templatePath: "/spec/template",
  template: (object) => dig(object, "spec", "template") as PodTemplate | undefined,
  status,
  paused: (object) => dig(object, "spec", "paused") === true,
  restartsOnEdit: (object) => dig(object, "spec", "paused") !== true,
  deadlineMs: progressDeadlineMs,
};
