import { createInFlight } from "./in-flight.ts";

/**
 * Runs tasks, one at a time for each key, in the order they came, and at most `limit` at once.
 * Tasks are expected to handle their own errors: what one throws goes to `onError`.
 */
export type KeyedPool = {
  /**
   * Resolves when the task was admitted, which is the back-pressure: it does not wait for its end.
   */
  run(key: string, task: () => Promise<void>): Promise<void>;
  /** Resolves when everything admitted so far has ended. */
  drain(): Promise<void>;
  size(): number;
  /** For how many milliseconds the oldest task that was admitted has been so. */
  oldestMs(): number;
  /** Whether a task of this key is admitted and has not ended. */
  busy(key: string): boolean;
};

export function createKeyedPool(
  limit: number,
  onError: (err: unknown) => void,
  clock: () => number = Date.now,
): KeyedPool {
  const inFlight = createInFlight(clock);
  const tails = new Map<string, Promise<void>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const leave = () => {
    const next = waiting.shift();
    // The place is handed on, so that nobody can take it in between.
    if (next === undefined) running--;
    else next();
  };
  return {
    async run(key, task) {
      if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      const end = inFlight.begin();
      const before = tails.get(key) ?? Promise.resolve();
      const tail = before
        .then(task)
        .catch(onError)
        .finally(() => {
          end();
          if (tails.get(key) === tail) tails.delete(key);
          leave();
        });
      tails.set(key, tail);
    },
    async drain() {
      await Promise.all(tails.values());
    },
    size: () => tails.size,
    oldestMs: inFlight.oldestMs,
    busy: (key) => tails.has(key),
  };
}
