import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";
import { isOnDelete, leftPods, onDeleteStatus } from "./pods.ts";

/**
 * https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
 * (DaemonSetStatusViewer); OnDelete is ours.
 */
function status(object: KubeObject): RolloutStatus {
  const generation = object.metadata.generation ?? 0;
  if (digNumber(object, -1, "status", "observedGeneration") < generation) {
    return { state: "unobserved" };
  }
  const wanted = digNumber(object, 0, "status", "desiredNumberScheduled");
  const updated = digNumber(object, 0, "status", "updatedNumberScheduled");
  const available = digNumber(object, 0, "status", "numberAvailable");
  if (isOnDelete(object)) {
    // Pods stay on nodes that take none any more, and are not among those that are counted.
    const elsewhere = digNumber(object, 0, "status", "numberMisscheduled");
    return onDeleteStatus(wanted + elsewhere, wanted - updated + elsewhere);
  }
  if (updated < wanted) {
    return { state: "progressing", message: `${updated} of ${wanted} pods are updated` };
  }
  if (available < wanted) {
    return { state: "progressing", message: `${available} of ${wanted} pods are available` };
  }
  return { state: "complete" };
}

export const daemonSet: WorkloadKind = {
  kind: "DaemonSet",
  group: "apps",
  version: "v1",
  plural: "daemonsets",
  templatePath: "/spec/template",
  template: (object) => dig(object, "spec", "template") as PodTemplate | undefined,
  status,
  paused: () => false,
  restartsOnEdit: (object) => !isOnDelete(object),
  deadlineMs: () => undefined,
  leftPods,
};
