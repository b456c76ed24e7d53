import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadKey } from "../model/workload.ts";

/** Does something for one workload at a time, coalescing: however often asked for while it waits, it is done once. */
export type Workqueue = AsyncDisposable & {
  enqueue(key: WorkloadKey): void;
  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void>;
};

const RETRY = { initial: 500, max: 30_000 };

/**
 * `work` is called for each requested key, at most `concurrency` at once and never twice at once for one key. Where it throws it is called again, with
 * backoff, until it succeeds: what it does is computed from present state, so late is as good as now.
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

  const one = async (key: WorkloadKey) => {
    for (let attempt = 1; !stop.signal.aborted; attempt++) {
      try {
        await work(key);
        return;
      } catch (err) {
        logger.warn({ err, workload: key, attempt }, "reconciling a workload failed, retrying");
        await sleep(backoffDelay(RETRY, attempt), undefined, { signal: stop.signal }).catch(
          () => undefined,
        );
      }
    }
  };
  const finish = async (key: WorkloadKey) => {
    await one(key);
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
