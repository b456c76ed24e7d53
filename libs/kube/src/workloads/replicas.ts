import { digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { refusedReplicas } from "./conditions.ts";
import type { RolloutStatus } from "./kind.ts";
import { allUpdated } from "./scaled.ts";

/**
 * Where a workload stands by its counts of replicas: all updated, no old ones left, all available.
 * `wanted` are reported to be there.
 */
export function replicasStatus(object: KubeObject, wanted: number): RolloutStatus {
  const updated = digNumber(object, 0, "status", "updatedReplicas");
  const all = digNumber(object, 0, "status", "replicas");
  const available = digNumber(object, 0, "status", "availableReplicas");
  const progressing = (text: string): RolloutStatus => {
    const refused = refusedReplicas(object);
    return { state: "progressing", message: refused === undefined ? text : `${text}. ${refused}` };
  };
  if (updated < wanted) return progressing(`${updated} of ${wanted} replicas are updated`);
  if (all > updated) return progressing(`${all - updated} old replicas are still there`);
  if (available < updated) {
    return progressing(`${available} of ${updated} replicas are available`);
  }
  return allUpdated(wanted);
}
