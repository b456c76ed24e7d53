import pLimit from "p-limit";
import { createInFlight } from "./in-flight.ts";

/**
 * Runs tasks, one at a time for each key, in the order they came, and at most `limit` at once.
 * Tasks are expected to handle their own errors: what one throws goes to `onError`.
 */
export type KeyedPool<K> = {
  /**
   * Resolves when the task was admitted, which is the back-pressure: it does not wait for its end.
   */
  run(key: K, task: () => Promise<void>): Promise<void>;
  /** Resolves when everything that was given so far has ended. */
  drain(): Promise<void>;
  /** Keys with a task that has not ended, also one that waits to be admitted. */
  size(): number;
  /** For how many milliseconds the oldest task that was admitted has been so. */
  oldestMs(): number;
  /** Whether a task of this key has not ended. */
  busy(key: K): boolean;
};

export function createKeyedPool<K>(
  limit: number,
  onError: (err: unknown, key: K) => void,
  clock: () => number = Date.now,
): KeyedPool<K> {
  const limited = pLimit(limit);
  const inFlight = createInFlight(clock);
  const tails = new Map<K, Promise<void>>();
  return {
    run(key, task) {
      const admitted = Promise.withResolvers<void>();
      const before = tails.get(key);
      const tail = limited(async () => {
        const end = inFlight.begin();
        admitted.resolve();
        try {
          await before;
          await task();
        } catch (err) {
          onError(err, key);
        } finally {
          end();
          if (tails.get(key) === tail) tails.delete(key);
        }
      });
      tails.set(key, tail);
      return admitted.promise;
    },
    async drain() {
      await Promise.all(tails.values());
    },
    size: () => tails.size,
    oldestMs: inFlight.oldestMs,
    busy: (key) => tails.has(key),
  };
}
