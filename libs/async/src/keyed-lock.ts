import { withDeadline } from "./deadline.ts";

/** Work on one key, one after the other in the order it came. */
export type KeyedLock<K> = {
  /**
   * Does `work` when what came before it for this key has ended, or has taken too long: this is for
   * fairness, and keeps nobody from doing both at once.
   */
  run<T>(key: K, work: () => Promise<T>): Promise<T>;
};

/** `maxWaitMs`: how long work waits for what came before it. */
export function createKeyedLock<K>(maxWaitMs: number): KeyedLock<K> {
  const tails = new Map<K, Promise<unknown>>();
  return {
    async run(key, work) {
      const before = tails.get(key);
      const { promise: tail, resolve: end } = Promise.withResolvers<void>();
      tails.set(key, tail);
      try {
        if (before !== undefined) await withDeadline(maxWaitMs, before).catch(() => undefined);
        return await work();
      } finally {
        end();
        if (tails.get(key) === tail) tails.delete(key);
      }
    },
  };
}
