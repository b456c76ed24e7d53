import type { WorkloadKey } from "../model/workload.ts";

/** Waiters for the next change of a workload. */
export type ChangeWaiters = {
  /** Resolves with true when the workload changes, false after `timeoutMs`. */
  next(key: WorkloadKey, timeoutMs: number): Promise<boolean>;
  wake(key: WorkloadKey): void;
};

export function createChangeWaiters(): ChangeWaiters {
  const waiters = new Map<WorkloadKey, Set<() => void>>();
  return {
    next(key, timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const changed = () => resolve(true);
      const timer = setTimeout(() => resolve(false), timeoutMs);
      const waiting = waiters.get(key) ?? new Set();
      waiters.set(key, waiting.add(changed));
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(changed);
        if (waiting.size === 0) waiters.delete(key);
      });
    },
    wake(key) {
      for (const resolve of waiters.get(key) ?? []) resolve();
    },
  };
}
