import type { Affected } from "../index/affected-workloads.ts";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Failures } from "../model/control-entry.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { LoopBreaker } from "./throttle.ts";
import type { Rules } from "../model/rules.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";

/** External state that may block rollouts of a workload. Times are milliseconds since the epoch. */
export type AdmissionState = {
  readonly queue: string;
  readonly frozen?: { readonly until?: number };
  readonly paused?: { readonly until?: number };
  /** After this many failed rollouts of one change, its remaining rollouts wait. */
  readonly haltAfter: number;
  readonly failures: readonly Failures[];
  /** Whether one more rollout may begin; `none` if the queue has no quota. */
  readonly quota: "none" | "free" | "full";
};

/** A Job whose end is the end of a rollout. */
export type RolloutJob = Pick<Workload, "status"> | "gone" | undefined;

/** Everything a decision depends on. Times are milliseconds since the epoch. */
export type DecisionInput = {
  readonly rules: Rules;
  readonly workload: Workload;
  readonly record: WorkloadRecord | undefined;
  /** The Job of a CronJob's rollout: present or gone; undefined if unknown. */
  readonly job?: RolloutJob;
  readonly sources: ReadonlyMap<SourceKey, SourceRecord | undefined>;
  /** When Rollcast was installed in this cluster; older workloads are adopted unchanged. */
  readonly installedAt: number;
  readonly now: number;
  readonly mode: "active" | "observe";
  readonly breaker: LoopBreaker;
  /** When a rollout counts as stalled, for kinds without their own deadline. */
  readonly stalledAfterMs: number;
  /** How many workloads the last change of a source rolls. */
  readonly affected: Affected;
  /** The id for a new rollout. */
  readonly newId: string;
  /**
   * The workload was just read from the API server: it decides even if the record has a newer
   * generation.
   */
  readonly trusted: boolean;
  readonly admission: AdmissionState;
};

/** Content by source. */
export type Contents = Record<SourceKey, Content>;
