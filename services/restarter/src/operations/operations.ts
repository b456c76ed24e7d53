import type { FreezeData, FreezeScope } from "@rollcast/shared/operation-events";
import { SubjectError } from "@rollcast/shared/subjects";
import { OperationError, createUpdater, origin, untilText } from "./updater.ts";
import type { By, Updater, UpdaterOptions } from "./updater.ts";
import { ROLLCAST, freezeKey } from "../model/control-entry.ts";
import type { Freeze, LiveLimits } from "../model/control-entry.ts";
import { haltOperations } from "./halts.ts";
import { queueOperations } from "./queues.ts";
import type { Halt, OperationsOptions, QueueStatus } from "./queue-status.ts";

/**
 * The operations for operators. Every change applies to all replicas within a second. Its event is
 * written with it and published afterwards, whatever becomes of this process.
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
  const halts = haltOperations(options);
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

const MAX_COMMENT = 256;

function isOver(freeze: Freeze): boolean {
  return freeze.until !== undefined && freeze.until <= Date.now();
}

function unfrozen(data: FreezeData) {
  return { next: null, operation: { domain: "freeze", outcome: "unfrozen", data } } as const;
}

function freezeOperations({ cluster, cache }: UpdaterOptions, updater: Updater) {
  const keyOf = (scope: FreezeScope) => {
    try {
      return freezeKey(cluster, scope);
    } catch (err) {
      if (!(err instanceof SubjectError)) throw err;
      throw new OperationError(
        "Invalid",
        "kind, namespace and name must be as Kubernetes has them",
      );
    }
  };
  const held = () =>
    [...cache.list()].map(({ value }) => value).filter((entry) => entry.type === "freeze");
  return {
    listFreezes: (): Freeze[] => held().filter((entry) => !isOver(entry)),
    async freeze(scope: FreezeScope, who: By & { readonly comment?: string }): Promise<Freeze> {
      const comment = who.comment?.slice(0, MAX_COMMENT);
      const freeze: Freeze = {
        v: 1,
        type: "freeze",
        scope,
        comment,
        ...origin(who),
      };
      const { by, until } = freeze;
      const data = { scope, by, ...untilText(until), comment };
      await updater.update(keyOf(scope), () => ({
        next: freeze,
        operation: { domain: "freeze", outcome: "frozen", data },
      }));
      return freeze;
    },
    async unfreeze(scope: FreezeScope, who: By): Promise<boolean> {
      const { by } = origin(who);
      return updater.update(keyOf(scope), (entry) =>
        entry?.type === "freeze" ? unfrozen({ scope, by }) : undefined,
      );
    },
    async expire(): Promise<void> {
      for (const { scope } of held().filter(isOver)) {
        await updater.update(keyOf(scope), (entry) =>
          entry?.type === "freeze" && isOver(entry)
            ? unfrozen({ scope, by: ROLLCAST, reason: "Expired" })
            : undefined,
        );
      }
    },
  };
}
