import { createInFlight } from "@rollcast/async/in-flight";

/** Bounds how many events are in flight. */
export function createInFlightLimit(limit: number) {
  const running = new Set<Promise<void>>();
  const inFlight = createInFlight();
  return {
    /** Adds work that never fails; resolves when there is room for more. */
    async add(work: Promise<void>): Promise<void> {
      const end = inFlight.begin();
      const tracked = work.finally(() => {
        end();
        running.delete(tracked);
      });
      running.add(tracked);
      if (running.size >= limit) await Promise.race(running);
    },
    async drain(): Promise<void> {
      await Promise.all(running);
    },
    count: inFlight.count,
    oldestMs: inFlight.oldestMs,
  };
}
