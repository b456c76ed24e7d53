import { stableId } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadIndex } from "../index/workload-index.ts";
import type { KubeEvent } from "./kube-events.ts";
import { sourceFaults } from "../model/annotation-values.ts";
import type { AnnotationFault } from "../model/annotation-values.ts";
import { sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { queueFault } from "../model/queue-assignment.ts";
import type { QueueAssignment } from "../model/queue-assignment.ts";
import type { Rules } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import type { RestarterMetrics } from "../metrics.ts";

/** Everything of a workload's annotations that is not done as it is asked for. */
export function annotationFaultsOf(
  workload: Workload,
  assignmentOf: (workload: Workload) => QueueAssignment,
): readonly AnnotationFault[] {
  const refused = workload.mayRoll ? queueFault(workload, assignmentOf(workload)) : undefined;
  return refused === undefined ? workload.faults : [...workload.faults, refused];
}

function eventOf(workload: Workload, id: string, faults: readonly AnnotationFault[]): KubeEvent {
  const { kind, namespace, name, uid } = workload;
  return {
    id,
    workload: { kind, namespace, name, uid },
    time: Date.now(),
    type: "Warning",
    reason: "InvalidAnnotation",
    note: faults.map(({ annotation, message }) => `${annotation}: ${message}`).join("; "),
  };
}

type Reporter = {
  readonly logger: Logger;
  readonly metrics: Pick<RestarterMetrics, "annotationFaults">;
};

/** Reports what is wrong with a workload's annotations, also as an Event on it, once per edit. */
export function watchAnnotationFaults(
  ctx: Reporter & {
    readonly index: Pick<WorkloadIndex, "listen">;
    readonly recordEvent: (event: KubeEvent) => void;
  },
  assignmentOf: (workload: Workload) => QueueAssignment,
): void {
  const reported = new Map<WorkloadKey, string>();
  ctx.index.listen({
    changed(workload) {
      const key = workloadKey(workload);
      const faults = annotationFaultsOf(workload, assignmentOf);
      if (faults.length === 0) return void reported.delete(key);
      // Namespace labels may have changed since, so this compares what was reported, not the
      // previous workload.
      const id = stableId(workload.uid, JSON.stringify(faults));
      if (reported.get(key) === id) return;
      reported.set(key, id);
      const { kind, namespace, name } = workload;
      ctx.metrics.annotationFaults.inc(faults.length);
      ctx.logger.warn({ workload: { kind, namespace, name }, faults }, "invalid annotations");
      ctx.recordEvent(eventOf(workload, id, faults));
    },
    removed: (workload) => void reported.delete(workloadKey(workload)),
  });
}

/** What is wrong with the annotations of a source, under the names that they are written with. */
export function faultsOfSource(
  { annotations }: Pick<SourceRecord, "annotations">,
  rules: Pick<Rules, "annotations" | "writtenName">,
): AnnotationFault[] {
  return sourceFaults(rules.annotations(annotations)).map(({ annotation, message }) => ({
    annotation: rules.writtenName(annotations, annotation),
    message,
  }));
}

/** Returns what reports a source whose annotations are wrong, once per edit. */
export function createSourceFaultReporter(
  ctx: Reporter & { readonly rules: Rules },
): (record: SourceRecord) => void {
  const reported = new Map<SourceKey, string>();
  return (record) => {
    const { kind, namespace, name } = record;
    const key = sourceKey(kind, namespace, name);
    const faults = record.deletedAt === undefined ? faultsOfSource(record, ctx.rules) : [];
    if (faults.length === 0) return void reported.delete(key);
    const id = JSON.stringify(faults);
    if (reported.get(key) === id) return;
    reported.set(key, id);
    ctx.metrics.annotationFaults.inc(faults.length);
    ctx.logger.warn({ source: { kind, namespace, name }, faults }, "invalid annotations");
  };
}
