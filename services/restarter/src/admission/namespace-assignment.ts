import type { AssignQueue, QueueAssignment } from "../model/queue-assignment.ts";
import type { Workload } from "../model/workload.ts";

/** Where workloads are put, with the labels that their namespaces have now; each answer is kept for as long as it holds. */
export type QueueAssigner = {
  of(workload: Workload): QueueAssignment;
  /** The labels of a namespace are others now; undefined: gone. */
  relabel(namespace: string, labels: Readonly<Record<string, string>> | undefined): void;
};

export function createQueueAssigner(place: AssignQueue): QueueAssigner {
  const labels = new Map<string, Readonly<Record<string, string>>>();
  let known = new WeakMap<Workload, QueueAssignment>();
  return {
    of(workload) {
      const before = known.get(workload);
      if (before !== undefined) return before;
      const assignment = place(workload, labels.get(workload.namespace) ?? {});
      known.set(workload, assignment);
      return assignment;
    },
    relabel(namespace, now) {
      if (now === undefined) labels.delete(namespace);
      else labels.set(namespace, now);
      known = new WeakMap();
    },
  };
}
