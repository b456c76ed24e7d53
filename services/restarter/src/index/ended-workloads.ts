import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

const MAX_KEPT = 1_000;

/**
 * The last observed state of ended workloads that are gone: a Job may be deleted before its end was
 * handled. Bounded, oldest out first.
 */
export type EndedWorkloads = {
  add(workload: Workload): void;
  get(key: WorkloadKey): Workload | undefined;
};

export function createEndedWorkloads(): EndedWorkloads {
  const kept = new Map<WorkloadKey, Workload>();
  return {
    add(workload) {
      if (workload.finished !== true) return;
      const key = workloadKey(workload);
      kept.delete(key);
      kept.set(key, workload);
      for (const oldest of kept.keys()) {
        if (kept.size <= MAX_KEPT) break;
        kept.delete(oldest);
      }
    },
    get: (key) => kept.get(key),
  };
}
