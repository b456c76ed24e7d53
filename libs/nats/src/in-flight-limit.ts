import { createInHand } from "@rollcast/async/in-flight";

/** Events in hand, bounded. */
export function createHands(limit: number) {
  const held = new Set<Promise<void>>();
  const ages = createInHand();
  return {
    /** Takes a work that never fails; returns when another may be taken. */
    async take(work: Promise<void>): Promise<void> {
      const end = ages.begin();
      const one = work.finally(() => {
        end();
        held.delete(one);
      });
      held.add(one);
      if (held.size >= limit) await Promise.race(held);
    },
    async empty(): Promise<void> {
      await Promise.all(held);
    },
    count: ages.count,
    oldestMs: ages.oldestMs,
  };
}
