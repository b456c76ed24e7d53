import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";
import { isOnDelete, leftPods, nameSome, onDeleteStatus } from "./pods.ts";
import { allUpdated } from "./scaled.ts";

function partition(object: KubeObject): number {
  return digNumber(object, 0, "spec", "updateStrategy", "rollingUpdate", "partition");
}

/** Names of the pods below the partition, which keep the template they have. */
function belowPartition(object: KubeObject, wanted: number): string[] {
  const start = digNumber(object, 0, "spec", "ordinals", "start");
  const count = Math.min(wanted, partition(object));
  return Array.from({ length: count }, (_, i) => `${object.metadata.name}-${start + i}`);
}

/**
 * https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
 * (StatefulSetStatusViewer); OnDelete is ours.
 */
function status(object: KubeObject): RolloutStatus {
  const generation = object.metadata.generation ?? 0;
  if (digNumber(object, -1, "status", "observedGeneration") < generation) {
    return { state: "unobserved" };
  }
  const wanted = digNumber(object, 1, "spec", "replicas");
  const ready = digNumber(object, 0, "status", "readyReplicas");
  const updated = digNumber(object, 0, "status", "updatedReplicas");
  if (isOnDelete(object)) return onDeleteStatus(wanted, wanted - updated);
  // Those above the wanted number are updated first, and count until they are gone.
  const surplus = Math.max(0, digNumber(object, 0, "status", "replicas") - wanted);
  if (ready < wanted) {
    return { state: "progressing", message: `${ready} of ${wanted} replicas are ready` };
  }
  const kept = belowPartition(object, wanted);
  const lasting = Math.max(0, updated - surplus);
  if (lasting < wanted - kept.length) {
    const due = wanted - kept.length;
    return { state: "progressing", message: `${lasting} of ${due} replicas are updated` };
  }
  if (kept.length > 0 && lasting < wanted) {
    const message = `below the partition, so left for their owner to delete: ${nameSome(kept)}`;
    return { state: "complete", reason: "Partition", message };
  }
  return allUpdated(wanted);
}

export const statefulSet: WorkloadKind = {
  kind: "StatefulSet",
  group: "apps",
  version: "v1",
  plural: "statefulsets",
  templatePath: "/spec/template",
  template: (object) => dig(object, "spec", "template") as PodTemplate | undefined,
  status,
  paused: () => false,
  restartsOnEdit: (object) => !isOnDelete(object) && partition(object) === 0,
  deadlineMs: () => undefined,
  leftPods,
};
