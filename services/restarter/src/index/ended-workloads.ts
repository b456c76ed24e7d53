import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

const MAX_KEPT = 1_000;

/**
 * The last observed state of ended workloads that are gone: a Job may be deleted before its end was
 * handled. Which ones the watch has shown to be gone, for an answer of before may come later. And
 * when one left its pods (`propagationPolicy: Orphan`), for the next one keeps those that fit.
 * Bounded, oldest out first.
 */
export type EndedWorkloads = {
  add(workload: Workload): void;
  get(key: WorkloadKey): Workload | undefined;
  /** The watch shows that the workload of this uid is gone. */
  addGone(uid: string): void;
  isGone(uid: string): boolean;
  /**
   * Since when pods of the same template may run that one before it has left to a workload;
   * undefined if none has.
   */
  podsSince(workload: Workload): number | undefined;
};

export function createEndedWorkloads(): EndedWorkloads {
  const kept = new Map<WorkloadKey, Workload>();
  const gone = new Map<string, true>();
  const orphaned = new Map<WorkloadKey, Workload>();
  return {
    add(workload) {
      const key = workloadKey(workload);
      if (workload.finished === true) keep(kept, key, workload);
      if (workload.orphans === true) keep(orphaned, key, workload);
      else orphaned.delete(key);
    },
    get: (key) => kept.get(key),
    addGone: (uid) => keep(gone, uid, true),
    isGone: (uid) => gone.has(uid),
    podsSince(workload) {
      const last = orphaned.get(workloadKey(workload));
      const isSame =
        last?.templateHash === workload.templateHash && last.marker === workload.marker;
      if (last === undefined || !isSame) return undefined;
      return last.podsSince ?? Math.max(last.createdAt, last.editedAt ?? 0);
    },
  };
}

function keep<K, V>(kept: Map<K, V>, key: K, value: V): void {
  kept.delete(key);
  kept.set(key, value);
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break;
    kept.delete(oldest);
  }
}
