import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire, syncBuiltinESMExports } from "node:module";

/** Who set a timer: the timers of a process end with it. */
export const owner = new AsyncLocalStorage<object>();

type Timer = {
  readonly id: number;
  readonly of: object | undefined;
  readonly run: () => void;
  readonly period: number | undefined;
  readonly delay: number;
  at: number;
};

/**
 * A clock of its own, in place of the process's while it is installed. Times are milliseconds since
 * the epoch.
 */
export type VirtualClock = {
  now(): number;
  /** When the next timer is due that is no interval. */
  next(): number | undefined;
  /** Whether a timer is due now. */
  due(): boolean;
  /**
   * Moves to `time` and runs what is due, in its order; an interval runs once, however often it was
   * due.
   */
  advance(time: number): void;
  /** Forgets the timers of a process. */
  drop(of: object): void;
  uninstall(): void;
};

const builtins = createRequire(import.meta.url);
const sleeping = builtins("node:timers/promises") as Record<string, unknown>;
const hashing = builtins("node:crypto") as Record<string, unknown>;

type Replaced = [target: Record<string, unknown>, name: string, value: unknown];

/** Replaces time, chance and ids of this process until `uninstall`. */
export function installClock(start: number): VirtualClock {
  let now = start;
  let ids = 0;
  const timers = new Map<number, Timer>();
  const set = (run: () => void, delay: number, period?: number) => {
    const id = ++ids;
    const at = now + Math.max(0, delay);
    timers.set(id, { id, of: owner.getStore(), run: bind(run), period, delay, at });
    return handleOf(id, timers, () => now);
  };
  const clear = (handle: unknown) => void timers.delete(Number(handle));
  const after = (run: (...args: unknown[]) => void, delay = 0, ...args: unknown[]) =>
    set(() => run(...args), Number(delay));
  const every = (run: (...args: unknown[]) => void, delay = 1, ...args: unknown[]) =>
    set(() => run(...args), Number(delay), Number(delay));
  const sleep = (delay = 0, value?: unknown, options: { signal?: AbortSignal } = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(abortError(signal));
    const onAbort = () => {
      clear(timer);
      reject(abortError(signal as AbortSignal));
    };
    const timer = set(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve(value);
    }, delay);
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise;
  };
  const world = globalThis as unknown as Record<string, unknown>;
  let uuids = 0;
  const restore = replace([
    [world, "setTimeout", after],
    [world, "setInterval", every],
    [world, "clearTimeout", clear],
    [world, "clearInterval", clear],
    [Date as unknown as Record<string, unknown>, "now", () => now],
    [performance as unknown as Record<string, unknown>, "now", () => now - start],
    [Math as unknown as Record<string, unknown>, "random", () => 0.5],
    [sleeping, "setTimeout", sleep],
    [hashing, "randomUUID", () => `id-${++uuids}`],
  ]);
  syncBuiltinESMExports();
  return {
    now: () => now,
    next() {
      const single = [...timers.values()].filter(({ period }) => period === undefined);
      return single.length === 0 ? undefined : Math.min(...single.map(({ at }) => at));
    },
    due: () => [...timers.values()].some(({ at }) => at <= now),
    advance(time) {
      now = Math.max(now, time);
      const due = [...timers.values()].filter(({ at }) => at <= now);
      for (const timer of due.toSorted((a, b) => a.at - b.at || a.id - b.id)) {
        if (!timers.has(timer.id)) continue;
        if (timer.period === undefined) timers.delete(timer.id);
        else timer.at = now + timer.period;
        timer.run();
      }
    },
    drop(of) {
      for (const timer of timers.values()) if (timer.of === of) timers.delete(timer.id);
    },
    uninstall() {
      restore();
      syncBuiltinESMExports();
    },
  };
}

function bind(run: () => void): () => void {
  const store = owner.getStore();
  return store === undefined ? run : () => owner.run(store, run);
}

/** What `setTimeout` returns, as far as it is used. */
function handleOf(id: number, timers: Map<number, Timer>, now: () => number) {
  const handle = {
    ref: () => handle,
    unref: () => handle,
    refresh() {
      const timer = timers.get(id);
      if (timer !== undefined) timer.at = now() + timer.delay;
      return handle;
    },
    [Symbol.toPrimitive]: () => id,
  };
  return handle;
}

function abortError(signal: AbortSignal): Error {
  const error = new Error("The operation was aborted", { cause: signal.reason });
  error.name = "AbortError";
  return error;
}

/** Replaces properties; the returned function puts the old ones back. */
function replace(replaced: readonly Replaced[]): () => void {
  const before = replaced.map(([target, name]) => [target, name, target[name]] as const);
  for (const [target, name, value] of replaced) target[name] = value;
  return () => {
    for (const [target, name, value] of before) target[name] = value;
  };
}
