import type { StatusView } from "@rollcast/shared/api/workload-routes";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { Context } from "../context.ts";
import type { OtherInstallations } from "../events/other-installations.ts";
import type { Operations } from "../operations/operations.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** What the API needs from the rest of the restarter. */
export type ApiContext = {
  readonly ctx: Context;
  readonly operations: Operations;
  readonly others: OtherInstallations;
  /** The queue of a workload. */
  readonly queueOf: (workload: Workload | undefined) => string;
  /** Enqueues a job for the workload now; its record says what is due. */
  readonly enqueueJob: (key: WorkloadKey) => Promise<void>;
  /** The newest event of each outcome for one workload, oldest first. */
  readonly rolloutEvents: (key: WorkloadKey) => Promise<RolloutEvent[]>;
  /** State that only this process knows. */
  readonly self: () => Promise<
    Pick<StatusView, "instance" | "faults" | "redis" | "watchStalenessSeconds" | "eventsPending">
  >;
};
