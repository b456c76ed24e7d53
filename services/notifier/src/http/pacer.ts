import { setTimeout as sleep } from "node:timers/promises";

/** Resolves when `key` may be used again; rejects when `signal` fires. */
export type Pacer = (key: string, signal: AbortSignal) => Promise<void>;

/** Allows each key once every `gapMs`, in the order of the calls. */
export function createPacer(gapMs: number, clock: () => number = Date.now): Pacer {
  const free = new Map<string, number>();
  return async (key, signal) => {
    const now = clock();
    const at = Math.max(free.get(key) ?? 0, now);
    free.set(key, at + gapMs);
    if (at > now) await sleep(at - now, undefined, { signal });
  };
}
