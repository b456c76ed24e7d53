import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadKey } from "../model/workload.ts";

/**
 * Processes one key at a time and coalesces: a key enqueued repeatedly while it waits is processed
 * once.
 */
export type Workqueue = AsyncDisposable & {
  enqueue(key: WorkloadKey): void;
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>;
};

const RETRY = { initial: 500, max: 30_000 };

/**
 * Calls `work` for each enqueued key, at most `concurrency` at once and never concurrently for one
 * key. On an error it retries with backoff until `work` succeeds: `work` uses present state, so a
 * late run is as good as an early one.
 */
export function createWorkqueue(
  work: (key: WorkloadKey) => Promise<void>,
  concurrency: number,
  logger: Logger,
): Workqueue {
  const waiting = new Set<WorkloadKey>();
  const running = new Map<WorkloadKey, boolean>();
  const stop = new AbortController();
  let idlers: (() => void)[] = [];

  const processKey = async (key: WorkloadKey) => {
    for (let attempt = 1; !stop.signal.aborted; attempt++) {
      try {
        await work(key);
        return;
      } catch (err) {
        logger.warn({ err, workload: key, attempt }, "reconcile failed, requeued with backoff");
        await sleep(backoffDelay(RETRY, attempt), undefined, { signal: stop.signal }).catch(
          () => undefined,
        );
      }
    }
  };
  const finish = async (key: WorkloadKey) => {
    await processKey(key);
    if (running.get(key) === true) waiting.add(key);
    running.delete(key);
    next();
  };
  const next = () => {
    for (const key of waiting) {
      if (running.size >= concurrency || stop.signal.aborted) break;
      waiting.delete(key);
      running.set(key, false);
      void finish(key);
    }
    if (running.size === 0 && (waiting.size === 0 || stop.signal.aborted)) {
      for (const resolve of idlers) resolve();
      idlers = [];
    }
  };
  const idle = () => {
    if (running.size === 0 && waiting.size === 0) return Promise.resolve();
    return new Promise<void>((resolve) => {
      idlers.push(resolve);
    });
  };
  return {
    enqueue(key) {
      if (stop.signal.aborted) return;
      if (running.has(key)) running.set(key, true);
      else waiting.add(key);
      next();
    },
    idle,
    async [Symbol.asyncDispose]() {
      stop.abort();
      waiting.clear();
      if (running.size > 0) {
        await new Promise<void>((resolve) => {
          idlers.push(resolve);
        });
      }
    },
  };
}
