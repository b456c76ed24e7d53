import type { FreezeScope } from "@rollcast/shared/operation-events";
import { createUpdater } from "./update.ts";
import type { By } from "./update.ts";
import type { Freeze } from "../model/control-entry.ts";
import { freezeOperations } from "./freezes.ts";
import { haltOperations } from "./halts.ts";
import { queueOperations } from "./queues.ts";
import type { LiveLimits } from "../admission/settings.ts";
import type { Halt, OperationsOptions, QueueStatus } from "./queue-status.ts";

/** What operators steer while running. Every change holds on every replica within a second and is told by an event. */
export type Operations = {
  listQueues(): QueueStatus[];
  /** Sets limits over those of the file; those not named stay as they are. Throws {@link OperationError}. */
  setQueue(name: string, limits: LiveLimits, who: By): Promise<QueueStatus>;
  pauseQueue(name: string, who: By): Promise<QueueStatus>;
  resumeQueue(name: string, who: By): Promise<QueueStatus>;
  /** Takes every live setting back: the file's hold again. */
  resetQueue(name: string, who: By): Promise<QueueStatus>;
  listFreezes(): Freeze[];
  /** Freezes, or sets a freeze that is there anew. */
  freeze(scope: FreezeScope, who: By & { readonly reason?: string }): Promise<Freeze>;
  /** Whether there was one. */
  unfreeze(scope: FreezeScope, who: By): Promise<boolean>;
  listHalts(): Halt[];
  /** Lets the changes go on that are halted, of one queue or source (`<kind>/<namespace>/<name>`) or all; how many. Their failures count anew. */
  resumeHalted(
    which: { readonly queue?: string; readonly source?: string },
    who: By,
  ): Promise<number>;
};

/** The operations, and `expire`, which takes back what has ended by itself. */
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
