import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadIndex } from "../index/workload-index.ts";
import type { RestarterMetrics } from "../metrics.ts";
import type { Workload } from "../model/workload.ts";

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
