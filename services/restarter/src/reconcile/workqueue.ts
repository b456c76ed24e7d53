import { backoffDelay } from "@rollcast/async/backoff";
import type { Logger } from "@rollcast/runtime/logger";
import type { WorkloadKey } from "../model/workload.ts";

/**
 * Processes one key at a time and coalesces: a key enqueued repeatedly while it waits is processed
 * once.
 */
export type Workqueue = AsyncDisposable & {
  enqueue(key: WorkloadKey): void;
  /** Resolves when nothing waits for its turn or runs; what failed and backs off may be left. */
  idle(): Promise<void>;
  /** The keys whose work failed each time for a while, the first to fail first. */
  failing(): WorkloadKey[];
};

export type WorkqueueOptions = {
  /** Calls of `work` at once. */
  readonly concurrency: number;
  readonly logger: Logger;
  /** Keys wait until this resolves; it must not reject. */
  readonly after?: Promise<unknown>;
};

const RETRY = { initial: 500, max: 30_000 };
/** So often a key fails until it counts as failing: a fault of a moment is over by then. */
const FAILING_ATTEMPTS = 3;

/**
 * Calls `work` for each enqueued key, at most `concurrency` at once and never concurrently for one
 * key. What fails is tried again with backoff until it succeeds, and holds no place meanwhile, so
 * that others go on; enqueueing it does not hurry it. `work` uses present state, so a late run is
 * as good as an early one.
 */
export function createWorkqueue(
  work: (key: WorkloadKey) => Promise<void>,
  { concurrency, logger, after }: WorkqueueOptions,
): Workqueue {
  const waiting = new Set<WorkloadKey>();
  const running = new Map<WorkloadKey, { again: boolean }>();
  const failures = new Map<WorkloadKey, number>();
  const retries = new Map<WorkloadKey, NodeJS.Timeout>();
  let isStarted = after === undefined;
  let isStopped = false;
  let idlers: (() => void)[] = [];

  const retryLater = (key: WorkloadKey, err: unknown) => {
    const attempt = (failures.get(key) ?? 0) + 1;
    failures.set(key, attempt);
    logger.warn({ err, workload: key, attempt }, "reconcile failed, requeued with backoff");
    if (isStopped) return;
    const retry = () => {
      retries.delete(key);
      waiting.add(key);
      next();
    };
    retries.set(key, setTimeout(retry, backoffDelay(RETRY, attempt)));
  };
  const processKey = async (key: WorkloadKey) => {
    const run = { again: false };
    running.set(key, run);
    try {
      await work(key);
      failures.delete(key);
      if (run.again) waiting.add(key);
    } catch (err) {
      retryLater(key, err);
    } finally {
      running.delete(key);
      next();
    }
  };
  const next = () => {
    for (const key of waiting) {
      if (running.size >= concurrency || !isStarted || isStopped) break;
      waiting.delete(key);
      void processKey(key);
    }
    if (running.size === 0 && (waiting.size === 0 || isStopped)) {
      for (const resolve of idlers) resolve();
      idlers = [];
    }
  };
  const idle = () => {
    if (running.size === 0 && (waiting.size === 0 || isStopped)) return Promise.resolve();
    return new Promise<void>((resolve) => {
      idlers.push(resolve);
    });
  };
  const startLater = async () => {
    await after;
    isStarted = true;
    next();
  };
  void startLater();
  return {
    enqueue(key) {
      if (isStopped || retries.has(key)) return;
      const run = running.get(key);
      if (run === undefined) waiting.add(key);
      else run.again = true;
      next();
    },
    idle,
    failing: () =>
      [...failures].filter(([, attempts]) => attempts >= FAILING_ATTEMPTS).map(([key]) => key),
    async [Symbol.asyncDispose]() {
      isStopped = true;
      for (const timer of retries.values()) clearTimeout(timer);
      retries.clear();
      await idle();
    },
  };
}
