import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadIndex } from "../index/workload-index.ts";
import type { RestarterMetrics } from "../metrics.ts";
import type { Workload } from "../model/workload.ts";

/** Tells what of a workload's annotations cannot be read, once for each edit that leaves it so. */
export function watchAnnotationFaults(ctx: {
  readonly index: Pick<WorkloadIndex, "listen">;
  readonly logger: Logger;
  readonly metrics: Pick<RestarterMetrics, "annotationFaults">;
}): void {
  const recordEvent = (workload: Workload, before: Workload | undefined) => {
    const { faults } = workload.optIn;
    const known = before?.optIn.faults ?? [];
    if (faults.length === 0 || faults.join() === known.join()) return;
    const { kind, namespace, name } = workload;
    ctx.metrics.annotationFaults.inc(faults.length);
    ctx.logger.warn(
      { workload: { kind, namespace, name }, faults },
      "entries of annotations are passed over",
    );
  };
  ctx.index.listen({ changed: recordEvent, removed: () => undefined });
}
