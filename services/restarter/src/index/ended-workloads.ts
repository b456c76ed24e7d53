import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

const MAX_KEPT = 1_000;

/**
 * The last observed state of ended workloads that are gone: a Job may be deleted before its end was
 * handled. And which ones the watch has shown to be gone, for an answer of before may come later.
 * Bounded, oldest out first.
 */
export type EndedWorkloads = {
  add(workload: Workload): void;
  get(key: WorkloadKey): Workload | undefined;
  /** The watch shows that the workload of this uid is gone. */
  addGone(uid: string): void;
  isGone(uid: string): boolean;
};

export function createEndedWorkloads(): EndedWorkloads {
  const kept = new Map<WorkloadKey, Workload>();
  const gone = new Map<string, true>();
  return {
    add(workload) {
      if (workload.finished === true) keep(kept, workloadKey(workload), workload);
    },
    get: (key) => kept.get(key),
    addGone: (uid) => keep(gone, uid, true),
    isGone: (uid) => gone.has(uid),
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
