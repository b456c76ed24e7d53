import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";

type Condition = { type?: string; status?: string; reason?: string; message?: string };

function condition(object: KubeObject, type: string): Condition | undefined {
  const conditions = dig(object, "status", "conditions");
  if (!Array.isArray(conditions)) return undefined;
  return (conditions as Condition[]).find((one) => one.type === type);
}

function failure(object: KubeObject): RolloutStatus | undefined {
  const progressing = condition(object, "Progressing");
  if (progressing?.reason !== "ProgressDeadlineExceeded") return undefined;
  const refused = condition(object, "ReplicaFailure");
  const messages = [progressing.message, refused?.status === "True" ? refused.message : undefined];
  return {
    state: "failed",
    reason: progressing.reason,
    message: messages.filter((text) => text !== undefined && text !== "").join(" "),
  };
}

/** https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go (DeploymentStatusViewer) */
function status(object: KubeObject): RolloutStatus {
  const generation = object.metadata.generation ?? 0;
  if (digNumber(object, -1, "status", "observedGeneration") < generation) {
    return { state: "unobserved" };
  }
  const failed = failure(object);
  if (failed !== undefined) return failed;
  const wanted = digNumber(object, 1, "spec", "replicas");
  const updated = digNumber(object, 0, "status", "updatedReplicas");
  const all = digNumber(object, 0, "status", "replicas");
  const available = digNumber(object, 0, "status", "availableReplicas");
  if (updated < wanted) {
    return { state: "progressing", message: `${updated} of ${wanted} replicas are updated` };
  }
  if (all > updated) {
    return { state: "progressing", message: `${all - updated} old replicas are still there` };
  }
  if (available < updated) {
    return { state: "progressing", message: `${available} of ${updated} replicas are available` };
  }
  return { state: "complete" };
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
  deadlineMs: (object) => digNumber(object, 600, "spec", "progressDeadlineSeconds") * 1_000,
};
