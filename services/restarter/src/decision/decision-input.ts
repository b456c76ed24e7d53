import type { Affected } from "../index/affected-workloads.ts";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Failures } from "../model/control-entry.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { LoopBreaker } from "./throttle.ts";
import type { Rules } from "../model/rules.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";

/** What holds rollouts of a workload back from outside. Times are milliseconds since the epoch. */
export type AdmissionState = {
  readonly queue: string;
  readonly frozen?: { readonly until?: number };
  readonly paused?: { readonly until?: number };
  /** So many failed rollouts of one change, and what is left of it waits. */
  readonly haltAfter: number;
  readonly failures: readonly Failures[];
  /** Whether one more rollout may begin: `none` where the queue does not bound them. */
  readonly quota: "none" | "free" | "full";
};

/** A Job whose end is the end of a rollout. */
export type RolloutJob = Pick<Workload, "status"> | "gone" | undefined;

/** All that a decision is made of. Times are milliseconds since the epoch. */
export type DecisionInput = {
  readonly rules: Rules;
  readonly workload: Workload;
  readonly record: WorkloadRecord | undefined;
  /** The Job that a CronJob's rollout has run: as it is, or gone; undefined where that is not known. */
  readonly job?: RolloutJob;
  readonly sources: ReadonlyMap<SourceKey, SourceRecord | undefined>;
  /** When Rollcast was installed in this cluster: older workloads are adopted as they are. */
  readonly installedAt: number;
  readonly now: number;
  readonly mode: "active" | "observe";
  readonly breaker: LoopBreaker;
  /** When a rollout is told as stalled, for kinds without a deadline of their own. */
  readonly stalledAfterMs: number;
  /** How many workloads the last change of a source rolls. */
  readonly affected: Affected;
  /** The id that a new rollout takes. */
  readonly newId: string;
  /** The workload was just read from the API server itself: it decides even where the record knows a newer generation. */
  readonly trusted: boolean;
  readonly admission: AdmissionState;
};

/** Content by source. */
export type Contents = Record<SourceKey, Content>;
