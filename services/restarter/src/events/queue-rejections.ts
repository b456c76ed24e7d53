import { stableId } from "@rollcast/shared/events";
import { clock } from "../clock.ts";
import type { WorkloadIndex } from "../index/workload-index.ts";
import type { KubeEvent } from "./kube-events.ts";
import type { QueueAssignment } from "../model/queue-assignment.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

const MAX_NAME = 100;

function rejectionOf(
  workload: Workload,
  { queue, refused }: QueueAssignment,
): KubeEvent | undefined {
  if (refused === undefined) return undefined;
  const { kind, namespace, name, uid } = workload;
  const asked = JSON.stringify(refused.name.slice(0, MAX_NAME));
  const why =
    refused.why === "unknown"
      ? `no queue is named ${asked}`
      : `queueAnnotation does not let namespace ${namespace} choose the queue ${asked}`;
  return {
    id: stableId(uid, "queue-refused", refused.name, refused.why),
    workload: { kind, namespace, name, uid },
    time: clock(),
    type: "Warning",
    reason: "QueueRefused",
    note: `${why}: rolled in the queue ${queue}`,
  };
}

/** Tells on the workload, once for each name, which queue it asks for and does not get. */
export function watchQueueRejections(
  ctx: {
    readonly index: Pick<WorkloadIndex, "listen">;
    readonly recordEvent: (event: KubeEvent) => void;
  },
  assignmentOf: (workload: Workload) => QueueAssignment,
): void {
  const told = new Map<WorkloadKey, string>();
  ctx.index.listen({
    changed(workload) {
      const key = workloadKey(workload);
      // Labels of the namespace may have changed since: what was told is compared, not what the workload was.
      const event = workload.mayRoll ? rejectionOf(workload, assignmentOf(workload)) : undefined;
      if (event === undefined) told.delete(key);
      else if (told.get(key) !== event.id) {
        told.set(key, event.id);
        ctx.recordEvent(event);
      }
    },
    removed: (workload) => void told.delete(workloadKey(workload)),
  });
}
