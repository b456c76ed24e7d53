import { stableId } from "@rollcast/shared/events";
import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadIndex } from "../index/workload-index.ts";
import type { KubeEvent } from "./kube-events.ts";
import type { QueueAssignment } from "../model/queue-assignment.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import type { RestarterMetrics } from "../metrics.ts";

const MAX_NAME = 100;

function rejectionOf(
  workload: Workload,
  { queue, refused }: QueueAssignment,
): KubeEvent | undefined {
  if (refused === undefined) return undefined;
  const { kind, namespace, name, uid } = workload;
  const requested = JSON.stringify(refused.name.slice(0, MAX_NAME));
  const why =
    refused.why === "unknown"
      ? `no queue is named ${requested}`
      : `queueAnnotation does not let namespace ${namespace} choose the queue ${requested}`;
  return {
    id: stableId(uid, "queue-refused", refused.name, refused.why),
    workload: { kind, namespace, name, uid },
    time: Date.now(),
    type: "Warning",
    reason: "QueueRefused",
    note: `${why}: rolled in the queue ${queue}`,
  };
}

/** Reports on the workload, once per name, which requested queue it does not get. */
export function watchQueueRejections(
  ctx: {
    readonly index: Pick<WorkloadIndex, "listen">;
    readonly recordEvent: (event: KubeEvent) => void;
  },
  assignmentOf: (workload: Workload) => QueueAssignment,
): void {
  const reported = new Map<WorkloadKey, string>();
  ctx.index.listen({
    changed(workload) {
      const key = workloadKey(workload);
      // Namespace labels may have changed since, so this compares what was reported, not the
      // previous workload.
      const event = workload.mayRoll ? rejectionOf(workload, assignmentOf(workload)) : undefined;
      if (event === undefined) reported.delete(key);
      else if (reported.get(key) !== event.id) {
        reported.set(key, event.id);
        ctx.recordEvent(event);
      }
    },
    removed: (workload) => void reported.delete(workloadKey(workload)),
  });
}

/** Reports unreadable parts of a workload's annotations, once per edit. */
export function watchAnnotationFaults(ctx: {
  readonly index: Pick<WorkloadIndex, "listen">;
  readonly logger: Logger;
  readonly metrics: Pick<RestarterMetrics, "annotationFaults">;
}): void {
  const recordEvent = (workload: Workload, before: Workload | undefined) => {
    const { faults } = workload.optIn;
    const reported = before?.optIn.faults ?? [];
    if (faults.length === 0 || faults.join() === reported.join()) return;
    const { kind, namespace, name } = workload;
    ctx.metrics.annotationFaults.inc(faults.length);
    ctx.logger.warn(
      { workload: { kind, namespace, name }, faults },
      "skipping unreadable annotation entries",
    );
  };
  ctx.index.listen({ changed: recordEvent, removed: () => undefined });
}
