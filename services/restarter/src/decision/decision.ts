import type { SourceRecord } from "@rollcast/shared/records";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Affected } from "../model/verdict.ts";
import type { Failures } from "../model/control-entry.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { Rules } from "../model/rules.ts";
import type { Workload } from "../model/workload.ts";

/**
 * What to do now. `record` is the record as it should be. `changed` says that it differs from the
 * given one, so it must be written first.
 * - `requeue`: the index is older than the record, or (`refetch`) only the API server can decide.
 * - `keep`: nothing to patch.
 * - `skip`: a rollout is due and reported, not made (`mode: observe`).
 * - `wait`: a rollout is due at `until`.
 * - `roll`: patch as `record.rollout` says.
 */
export type Decision =
  | { readonly do: "requeue"; readonly refetch: boolean }
  | { readonly do: "keep" | "skip"; readonly record: WorkloadRecord; readonly changed: boolean }
  | {
      readonly do: "wait";
      readonly record: WorkloadRecord;
      readonly changed: boolean;
      /** Unset if it waits for a gate to open. */
      readonly until: number | undefined;
    }
  | {
      readonly do: "roll";
      readonly record: WorkloadRecord & { rollout: Rollout };
      readonly changed: boolean;
    };

/** The loop breaker's settings; times in milliseconds. */
export type LoopBreaker = {
  /** Up to this many rollouts of one workload per `period` are normal; more are a loop. */
  readonly maxRollouts: number;
  readonly period: number;
  readonly minInterval: number;
  readonly maxInterval: number;
};

type DelayReason =
  | "PausePeriod"
  | "MinInterval"
  | "InvalidAnnotation"
  | "Throttled"
  | "Frozen"
  | "Halted"
  | "QueuePaused"
  | "MaxRolling"
  | "MarkerStripped";

/** The rollout may start at `at` (ms since the epoch), or when a gate opens, and the reason. */
export type Delay = {
  readonly at?: number;
  readonly reason: DelayReason;
  readonly message?: string;
};

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
  /** Ids of rollouts that are not recorded as begun, and whose Job a CronJob has. */
  readonly jobs?: ReadonlySet<string>;
  /** The newest Job that Rollcast has run from a CronJob and that is there, where it matters. */
  readonly newestJob?: Pick<Workload, "marker" | "madeBy" | "createdAt"> | undefined;
  /** Whether a CronJob has a Job that has not finished, whoever made it, where it matters. */
  readonly isRunning?: boolean;
  readonly sources: ReadonlyMap<SourceKey, SourceRecord | undefined>;
  /** Those of which pods may run what there was between two contents; see `contentBack`. */
  readonly mixed?: readonly SourceKey[];
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
  /** Whether versions of the workload and of this kind of source were seen to follow one order. */
  readonly isOrderedWith?: (kind: string) => boolean;
  readonly admission: AdmissionState;
};

/** Content by source. */
export type Contents = Record<SourceKey, Content>;
