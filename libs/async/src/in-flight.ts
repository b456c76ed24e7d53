/** Work that has begun and has not ended. */
export type InFlight = {
  /** Counts work as begun; call the returned function when it ends. */
  begin(): () => void;
  /** Milliseconds since the oldest work in flight began; 0 if there is none. */
  oldestMs(): number;
};

export function createInFlight(clock: () => number = Date.now): InFlight {
  // Oldest first.
  const begun = new Map<object, number>();
  return {
    begin() {
      const work = {};
      begun.set(work, clock());
      return () => begun.delete(work);
    },
    oldestMs() {
      const [first] = begun.values();
      return first === undefined ? 0 : clock() - first;
    },
  };
}
