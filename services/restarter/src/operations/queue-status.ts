import type { Queue } from "@rollcast/shared/config/queues";
import type { UpdaterOptions } from "./update.ts";
import type { Change } from "../model/control-entry.ts";
import type { Admission } from "../admission/admission.ts";
import type { QuotaStore } from "../admission/quota-store.ts";
import type { Effective, Settings } from "../admission/settings.ts";

/** A change whose rollouts failed so often that what is left of it waits. */
export type Halt = {
  readonly queue: string;
  readonly changes: readonly Change[];
  readonly failed: number;
};

/** A queue as the file has it, what is set over that while running, and what holds now. */
export type QueueStatus = {
  readonly name: string;
  readonly file: Queue;
  /** By the name of the setting: its value, who set it, when, and until when. */
  readonly live: Settings;
  readonly effective: Effective;
  /** Workloads that hold a slot, by `<kind>/<namespace>/<name>`; empty where the queue bounds no unfinished rollouts. */
  readonly rolling: readonly {
    readonly workload: string;
    readonly rollout: string;
    readonly since: number;
  }[];
  readonly halts: readonly Halt[];
};

/** What the operations on queues, freezes and halts are made of. */
export type OperationsOptions = UpdaterOptions & {
  readonly queues: readonly Queue[];
  readonly quotaStore: QuotaStore;
  readonly admission: Admission;
};
