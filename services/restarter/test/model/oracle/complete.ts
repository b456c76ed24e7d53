import { dig, digNumber } from "@rollcast/kube/object";
import type { KubeObject } from "../cluster/object-store.ts";

/** Whether its pods get a new template only when somebody deletes them. */
export function isOnDelete({ spec }: KubeObject): boolean {
  return dig(spec, "updateStrategy", "type") === "OnDelete";
}

function partitionOf({ spec }: KubeObject): number {
  return digNumber(spec, 0, "updateStrategy", "rollingUpdate", "partition");
}

function ordinalOf(podName: string): number {
  return Number(podName.split("-").at(-1));
}

/** Whether the pod of a StatefulSet is above its number: it goes when those below are ready. */
export function isSurplus({ kind, spec }: KubeObject, podName: string): boolean {
  return kind === "StatefulSet" && ordinalOf(podName) >= Number(spec?.replicas ?? 1);
}

/**
 * Whether the workload's controller brings this pod to a new template by itself: with `OnDelete`
 * none, with a partition those from there on.
 */
export function isReplaced(workload: KubeObject, podName: string): boolean {
  if (isOnDelete(workload)) return false;
  if (workload.kind !== "StatefulSet") return true;
  return ordinalOf(podName) >= partitionOf(workload);
}

/** A kind whose pods run to their end. */
export function isBatch({ kind }: KubeObject): boolean {
  return kind === "Job" || kind === "CronJob";
}

function isRolloutComplete({ metadata, spec, status = {} }: KubeObject): boolean {
  const isObserved = status.observedGeneration === String(metadata.generation);
  return isObserved && status.phase === "Healthy" && status.restartedAt === spec?.restartAt;
}

function isDaemonSetComplete({ status = {} }: KubeObject, onDelete: boolean): boolean {
  const wanted = status.desiredNumberScheduled;
  const { updatedNumberScheduled, numberAvailable } = status;
  const counts = onDelete ? [numberAvailable] : [updatedNumberScheduled, numberAvailable];
  return counts.every((count) => (count ?? 0) === wanted);
}

/**
 * Whether the controllers have brought every pod of the workload to its newest template, or, where
 * it is not theirs to do that, have nothing to do.
 */
export function isComplete(workload: KubeObject): boolean {
  const { kind, metadata, spec, status = {} } = workload;
  // Their pods run to an end, and are replaced by nobody.
  if (isBatch(workload)) return true;
  if (kind === "Rollout") return isRolloutComplete(workload);
  if (status.observedGeneration !== metadata.generation) return false;
  const onDelete = isOnDelete(workload);
  if (kind === "DaemonSet") return isDaemonSetComplete(workload, onDelete);
  const replicas = Number(spec?.replicas ?? 1);
  const kept = onDelete ? replicas : Math.min(replicas, partitionOf(workload));
  const updated = Number(status.updatedReplicas ?? 0);
  return (
    updated >= replicas - kept &&
    updated <= replicas &&
    [status.replicas, status.availableReplicas].every((count) => (count ?? 0) === replicas)
  );
}
