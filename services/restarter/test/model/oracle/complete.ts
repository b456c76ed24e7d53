import type { KubeObject } from "../cluster/object-store.ts";

/** Whether the controllers have brought every pod of the workload to its newest template. */
export function isComplete({ spec, status = {}, metadata }: KubeObject): boolean {
  const replicas = spec?.replicas ?? 1;
  return (
    status.observedGeneration === metadata.generation &&
    [status.updatedReplicas, status.replicas, status.availableReplicas].every(
      (count) => (count ?? 0) === replicas,
    )
  );
}
