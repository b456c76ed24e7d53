/** What was begun and has not ended. */
export type InHand = {
  /** Takes one in hand; the function that is returned lets it go. */
  begin(): () => void;
  count(): number;
  /** For how many milliseconds the oldest has been in hand; 0 where nothing is. */
  oldestMs(): number;
};

export function createInHand(clock: () => number = Date.now): InHand {
  // In the order in which they were begun.
  const begun = new Map<object, number>();
  return {
    begin() {
      const one = {};
      begun.set(one, clock());
      return () => begun.delete(one);
    },
    count: () => begun.size,
    oldestMs() {
      const [first] = begun.values();
      return first === undefined ? 0 : clock() - first;
    },
  };
}
