import type { Queue } from "@rollcast/shared/config/queues";
import type { UpdaterOptions } from "./updater.ts";
import type { Change, Effective, Settings } from "../model/control-entry.ts";
import type { Admission } from "../admission/admission.ts";
import type { QuotaStore } from "../admission/quota-store.ts";

/** A change whose rollouts failed so often that its remaining rollouts wait. */
export type Halt = {
  readonly queue: string;
  readonly changes: readonly Change[];
  readonly failed: number;
};

/** A queue: its configuration, the live settings, and the limits in effect. */
export type QueueStatus = {
  readonly name: string;
  readonly file: Queue;
  /** By setting: its value, who set it, when, and until when. */
  readonly live: Settings;
  readonly effective: Effective;
  /** Workloads that use quota, by `<kind>/<namespace>/<name>`; empty if the queue has no quota. */
  readonly rolling: readonly {
    readonly workload: string;
    readonly rollout: string;
    readonly since: number;
  }[];
  readonly halts: readonly Halt[];
};

/** The dependencies of the operations on queues, freezes and halts. */
export type OperationsOptions = UpdaterOptions & {
  readonly queues: readonly Queue[];
  readonly quotaStore: QuotaStore;
  readonly admission: Admission;
};
