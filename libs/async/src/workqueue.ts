import { backoffDelay } from "./backoff.ts";

/**
 * Processes one key at a time and coalesces: a key enqueued repeatedly while it waits is processed
 * once.
 */
export type Workqueue<K> = AsyncDisposable & {
  enqueue(key: K): void;
  /** Resolves when nothing waits for its turn or runs; what failed and backs off may be left. */
  idle(): Promise<void>;
  /** How many keys wait for their turn; what failed and backs off is not counted. */
  waiting(): number;
  /** The keys whose work failed each time for a while, the first to fail first. */
  failing(): K[];
};

/** When keys may begin. */
export type Readiness = {
  isReady(): boolean;
  /** Resolves when keys may begin again; it must not reject. */
  ready(): Promise<unknown>;
};

export type WorkqueueOptions<K> = {
  /** Calls of `work` at once. */
  readonly concurrency: number;
  /** Told of each failure before the wait, with how many there were in a row. */
  readonly onFailure: (err: unknown, key: K, attempt: number) => void;
  /** While it is not, keys wait and hold no place. Default: always ready. */
  readonly readiness?: Readiness;
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
export function createWorkqueue<K>(
  work: (key: K) => Promise<void>,
  { concurrency, onFailure, readiness }: WorkqueueOptions<K>,
): Workqueue<K> {
  const waiting = new Set<K>();
  const running = new Map<K, { again: boolean }>();
  const failures = new Map<K, number>();
  const retries = new Map<K, NodeJS.Timeout>();
  let isAwaited = false;
  let isStopped = false;
  let idlers: (() => void)[] = [];

  const retryLater = (key: K, err: unknown) => {
    const attempt = (failures.get(key) ?? 0) + 1;
    failures.set(key, attempt);
    onFailure(err, key, attempt);
    if (isStopped) return;
    const retry = () => {
      retries.delete(key);
      waiting.add(key);
      next();
    };
    retries.set(key, setTimeout(retry, backoffDelay(RETRY, attempt)));
  };
  const processKey = async (key: K) => {
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
  const isReady = () => {
    if (readiness === undefined || readiness.isReady()) return true;
    if (!isAwaited) void awaitReadiness(readiness);
    return false;
  };
  const next = () => {
    for (const key of waiting) {
      if (running.size >= concurrency || isStopped || !isReady()) break;
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
  const awaitReadiness = async (awaited: Readiness) => {
    isAwaited = true;
    await awaited.ready();
    isAwaited = false;
    next();
  };
  return {
    enqueue(key) {
      if (isStopped || retries.has(key)) return;
      const run = running.get(key);
      if (run === undefined) waiting.add(key);
      else run.again = true;
      next();
    },
    idle,
    waiting: () => waiting.size,
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
