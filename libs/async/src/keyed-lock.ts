/** Work on one key, one after the other in the order it came. */
export type KeyedLock<K> = {
  /**
   * Does `work` when what came before it for this key has ended, or has held it back for as long as
   * it may: this is for fairness, and keeps nobody from doing both at once.
   */
  run<T>(key: K, work: () => Promise<T>): Promise<T>;
};

/** `maxHoldMs`: how long work holds back what comes after it, from when it began. */
export function createKeyedLock<K>(maxHoldMs: number): KeyedLock<K> {
  const tails = new Map<K, Promise<void>>();
  return {
    async run(key, work) {
      const before = tails.get(key);
      const { promise: tail, resolve: end } = Promise.withResolvers<void>();
      tails.set(key, tail);
      await before;
      const timer = setTimeout(end, maxHoldMs);
      try {
        return await work();
      } finally {
        clearTimeout(timer);
        end();
        if (tails.get(key) === tail) tails.delete(key);
      }
    },
  };
}
