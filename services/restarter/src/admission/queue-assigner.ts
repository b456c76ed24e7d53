import type { AssignQueue, QueueAssignment } from "../model/queue-assignment.ts";
import type { Workload } from "../model/workload.ts";

/**
 * Queue assignments by workload with the present namespace labels; each is cached while it is
 * valid.
 */
export type QueueAssigner = {
  of(workload: Workload): QueueAssignment;
  /** The labels of a namespace changed; undefined: it is gone. */
  relabel(namespace: string, labels: Readonly<Record<string, string>> | undefined): void;
};

export function createQueueAssigner(place: AssignQueue): QueueAssigner {
  const labels = new Map<string, Readonly<Record<string, string>>>();
  let assignments = new WeakMap<Workload, QueueAssignment>();
  return {
    of(workload) {
      const before = assignments.get(workload);
      if (before !== undefined) return before;
      const assignment = place(workload, labels.get(workload.namespace) ?? {});
      assignments.set(workload, assignment);
      return assignment;
    },
    relabel(namespace, now) {
      if (now === undefined) labels.delete(namespace);
      else labels.set(namespace, now);
      assignments = new WeakMap();
    },
  };
}
