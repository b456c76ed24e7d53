import type { SourceRecord } from "@rollcast/shared/records";
import type { Content, SourceKey } from "./content.ts";
import type { LoopBreaker } from "./pace.ts";
import type { WorkloadRecord } from "./record.ts";
import type { Workload } from "./workload.ts";

/** All that a decision is made of. Times are milliseconds since the epoch. */
export type Situation = {
  readonly workload: Workload;
  readonly record: WorkloadRecord | undefined;
  readonly sources: ReadonlyMap<SourceKey, SourceRecord | undefined>;
  /** When Rollcast was installed in this cluster: older workloads are adopted as they are. */
  readonly installedAt: number;
  readonly now: number;
  readonly mode: "active" | "observe";
  readonly breaker: LoopBreaker;
  /** When a rollout is told as stalled, for kinds without a deadline of their own. */
  readonly stalledAfterMs: number;
  /** The id that a new rollout takes. */
  readonly newId: string;
  /** The workload was just read from the API server itself: it decides even where the record knows a newer generation. */
  readonly trusted: boolean;
};

/** Content by source. */
export type Contents = Record<SourceKey, Content>;
