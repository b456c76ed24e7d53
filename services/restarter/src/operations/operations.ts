import type { FreezeScope } from "@rollcast/shared/operation-events";
import { createUpdater } from "./updater.ts";
import type { By } from "./updater.ts";
import type { Freeze, LiveLimits } from "../model/control-entry.ts";
import { freezeOperations } from "./freezes.ts";
import { haltOperations } from "./halts.ts";
import { queueOperations } from "./queues.ts";
import type { Halt, OperationsOptions, QueueStatus } from "./queue-status.ts";

/**
 * The operations for operators. Every change applies to all replicas within a second and publishes
 * an event.
 */
export type Operations = {
  listQueues(): QueueStatus[];
  /** Overrides configured limits; unnamed ones stay unchanged. Throws {@link OperationError}. */
  setQueue(name: string, limits: LiveLimits, who: By): Promise<QueueStatus>;
  pauseQueue(name: string, who: By): Promise<QueueStatus>;
  resumeQueue(name: string, who: By): Promise<QueueStatus>;
  /** Removes every live setting: the configured ones apply again. */
  resetQueue(name: string, who: By): Promise<QueueStatus>;
  listFreezes(): Freeze[];
  /** Creates or replaces a freeze. */
  freeze(scope: FreezeScope, who: By & { readonly comment?: string }): Promise<Freeze>;
  /** Returns whether there was one. */
  unfreeze(scope: FreezeScope, who: By): Promise<boolean>;
  listHalts(): Halt[];
  /**
   * Resumes halted changes of one queue or source (`<kind>/<namespace>/<name>`), or all, and resets
   * their failures; returns how many.
   */
  resumeHalted(
    which: { readonly queue?: string; readonly source?: string },
    who: By,
  ): Promise<number>;
};

/** The operations, and `expire`, which removes what has expired. */
export function createOperations(
  options: OperationsOptions,
): Operations & { expire(): Promise<void> } {
  const updater = createUpdater(options);
  const freezes = freezeOperations(options, updater);
  const halts = haltOperations(options, updater);
  const queues = queueOperations(options, updater, halts.listHalts);
  return {
    listQueues: queues.listQueues,
    setQueue: queues.setQueue,
    pauseQueue: queues.pauseQueue,
    resumeQueue: queues.resumeQueue,
    resetQueue: queues.resetQueue,
    listFreezes: freezes.listFreezes,
    freeze: freezes.freeze,
    unfreeze: freezes.unfreeze,
    listHalts: halts.listHalts,
    resumeHalted: halts.resumeHalted,
    async expire() {
      await queues.expire();
      await freezes.expire();
    },
  };
}
