import { stableId } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadIndex } from "../index/index-types.ts";
import type { KubeEvent } from "./kube-events.ts";
import { annotationFault, sourceFaults, withNameFaults } from "../model/annotation-values.ts";
import type { AnnotationFault } from "../model/annotation-values.ts";
import { sourceKey, splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { namedAnnotation } from "../model/opt-in.ts";
import { queueFault } from "../model/queue-assignment.ts";
import type { QueueAssignment } from "../model/queue-assignment.ts";
import type { Rules } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import type { RestarterMetrics } from "../metrics.ts";

/** What is wrong where patterns match more sources than there is room for: one for each kind. */
function leftFaults(workload: Workload, left: readonly SourceKey[]): AnnotationFault[] {
  const kinds = new Set(left.map((key) => splitSourceKey(key).kind));
  return [...kinds].map((kind) => {
    const annotation = namedAnnotation(kind);
    const value = workload.annotations[annotation] ?? workload.templateAnnotations[annotation];
    const problem = "matches more sources than there is room for: the last by name are passed over";
    return annotationFault(annotation, value ?? "", problem);
  });
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

/** Knows what is wrong with the annotations of workloads. */
export type AnnotationFaults = {
  /** The workloads whose patterns match more than there is room for. */
  readonly unmatched: ReadonlyMap<WorkloadKey, unknown>;
  /** Everything that is not done as it is asked for. */
  of(workload: Workload): readonly AnnotationFault[];
  /** Observes which sources a workload's patterns match and it has no room for. */
  matched(workload: Workload, left: readonly SourceKey[]): void;
};

/** Reports what is wrong with a workload's annotations, also as an Event on it, once per edit. */
export function watchAnnotationFaults(
  ctx: Reporter & {
    readonly index: Pick<WorkloadIndex, "listen">;
    readonly recordEvent: (event: KubeEvent) => void;
  },
  assignmentOf: (workload: Workload) => QueueAssignment,
): AnnotationFaults {
  const reported = new Map<WorkloadKey, string>();
  const unmatched = new Map<WorkloadKey, readonly AnnotationFault[]>();
  const of = (workload: Workload) => {
    const refused = workload.mayRoll ? queueFault(workload, assignmentOf(workload)) : undefined;
    const queue = refused === undefined ? [] : [refused];
    return [...workload.faults, ...queue, ...(unmatched.get(workloadKey(workload)) ?? [])];
  };
  const count = () => ctx.metrics.annotationFaults.set({ object: "workload" }, reported.size);
  const forget = (key: WorkloadKey) => {
    if (reported.delete(key)) count();
  };
  const report = (workload: Workload) => {
    const key = workloadKey(workload);
    const faults = of(workload);
    if (faults.length === 0) return forget(key);
    // Namespace labels may have changed since, so this compares what was reported, not the
    // previous workload.
    const id = stableId(workload.uid, JSON.stringify(faults));
    if (reported.get(key) === id) return;
    reported.set(key, id);
    count();
    const { kind, namespace, name } = workload;
    ctx.logger.warn({ workload: { kind, namespace, name }, faults }, "invalid annotations");
    ctx.recordEvent(eventOf(workload, id, faults));
  };
  ctx.index.listen({
    changed: report,
    removed(workload) {
      const key = workloadKey(workload);
      forget(key);
      unmatched.delete(key);
    },
  });
  return {
    unmatched,
    of,
    matched(workload, left) {
      const key = workloadKey(workload);
      if (left.length === 0 && !unmatched.has(key)) return;
      if (left.length === 0) unmatched.delete(key);
      else unmatched.set(key, leftFaults(workload, left));
      report(workload);
    },
  };
}

/** What is wrong with the annotations of a source, under the names that they are written with. */
export function faultsOfSource(
  { annotations }: Pick<SourceRecord, "annotations">,
  rules: Pick<Rules, "annotations" | "writtenName" | "misnamed">,
): AnnotationFault[] {
  return withNameFaults(rules, annotations, sourceFaults(rules.annotations(annotations)));
}

/** Returns what reports a source whose annotations are wrong, once per edit. */
export function createSourceFaultReporter(
  ctx: Reporter & { readonly rules: Rules },
): (record: SourceRecord) => void {
  const reported = new Map<SourceKey, string>();
  const count = () => ctx.metrics.annotationFaults.set({ object: "source" }, reported.size);
  return (record) => {
    const { kind, namespace, name } = record;
    const key = sourceKey(kind, namespace, name);
    const faults = record.deletedAt === undefined ? faultsOfSource(record, ctx.rules) : [];
    if (faults.length === 0) {
      if (reported.delete(key)) count();
      return;
    }
    const id = JSON.stringify(faults);
    if (reported.get(key) === id) return;
    reported.set(key, id);
    count();
    ctx.logger.warn({ source: { kind, namespace, name }, faults }, "invalid annotations");
  };
}
