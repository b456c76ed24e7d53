import type { StatusView } from "@rollcast/shared/api/restarter";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { Context } from "../context.ts";
import type { Operations } from "../operations/operations.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** What the API asks of the rest of the restarter. */
export type ApiContext = {
  readonly ctx: Context;
  readonly operations: Operations;
  /** The queue that a workload is in. */
  readonly queueOf: (workload: Workload | undefined) => string;
  /** A turn for the workload now; its record says what is due. */
  readonly enqueueJob: (key: WorkloadKey) => Promise<void>;
  /** The newest event of each outcome about one workload, oldest first. */
  readonly rolloutEvents: (key: WorkloadKey) => Promise<RolloutEvent[]>;
  /** What only this process knows of itself. */
  readonly self: () => Promise<
    Pick<StatusView, "instance" | "faults" | "redis" | "watchStalenessSeconds" | "eventsPending">
  >;
};
