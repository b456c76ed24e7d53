import type { ReflectorHandler } from "@rollcast/kube/reflector";
import type { SourceKey } from "./content.ts";
import { watchedSources } from "./policy.ts";
import { workloadKey } from "./workload.ts";
import type { Workload, WorkloadKey } from "./workload.ts";

export type IndexListener = {
  /** A workload appeared or changed; `before` is what was known. */
  changed(workload: Workload, before: Workload | undefined): void;
  removed(workload: Workload): void;
};

/** Every workload in scope, small, and which of them use a source. Fed by one reflector per kind and namespace. */
export type WorkloadIndex = {
  get(key: WorkloadKey): Workload | undefined;
  all(): Iterable<Workload>;
  size(): number;
  usersOf(source: SourceKey): Workload[];
  /** Takes a workload as the API server just answered it, unless something newer is known. */
  apply(workload: Workload): void;
  /** Forgets a workload that the API server says is gone. */
  forget(key: WorkloadKey): void;
  /** Resolves with true when the workload changes, false after `timeoutMs`. */
  nextChange(key: WorkloadKey, timeoutMs: number): Promise<boolean>;
  listen(listener: IndexListener): void;
  /** A handler for one more reflector; a full list of it removes what it no longer holds. */
  handler(): ReflectorHandler<Workload>;
};

function isOlder(a: Workload, b: Workload): boolean {
  return a.uid === b.uid && BigInt(a.resourceVersion) < BigInt(b.resourceVersion);
}

/** A template that changed while we watched was edited now: more exact than the second that managedFields knows. */
function withEditTime(now: Workload, before: Workload | undefined, time: number): Workload {
  if (before === undefined || before.uid !== now.uid) return now;
  if (before.templateHash !== now.templateHash) return { ...now, editedAt: time };
  const known = Math.max(before.editedAt ?? 0, now.editedAt ?? 0);
  return known === 0 ? now : { ...now, editedAt: known };
}

/** An empty index. `clock` gives milliseconds since the epoch. */
export function createWorkloadIndex(clock: () => number = Date.now): WorkloadIndex {
  const workloads = new Map<WorkloadKey, Workload>();
  const users = new Map<SourceKey, Set<WorkloadKey>>();
  const listeners: IndexListener[] = [];
  const waiters = new Map<WorkloadKey, Set<() => void>>();

  const unlink = (workload: Workload) => {
    for (const source of watchedSources(workload)) {
      const keys = users.get(source);
      keys?.delete(workloadKey(workload));
      if (keys?.size === 0) users.delete(source);
    }
  };
  const link = (workload: Workload) => {
    for (const source of watchedSources(workload)) {
      const keys = users.get(source) ?? new Set();
      keys.add(workloadKey(workload));
      users.set(source, keys);
    }
  };
  const wake = (key: WorkloadKey) => {
    for (const resolve of waiters.get(key) ?? []) resolve();
  };
  const put = (workload: Workload) => {
    const key = workloadKey(workload);
    const before = workloads.get(key);
    if (before !== undefined && isOlder(workload, before)) return;
    const next = withEditTime(workload, before, clock());
    if (before !== undefined) unlink(before);
    workloads.set(key, next);
    link(next);
    for (const listener of listeners) listener.changed(next, before);
    wake(key);
  };
  const drop = (key: WorkloadKey) => {
    const before = workloads.get(key);
    if (before === undefined) return;
    unlink(before);
    workloads.delete(key);
    for (const listener of listeners) listener.removed(before);
    wake(key);
  };

  return {
    get: (key) => workloads.get(key),
    all: () => workloads.values(),
    size: () => workloads.size,
    usersOf: (source) =>
      [...(users.get(source) ?? [])]
        .map((key) => workloads.get(key))
        .filter((workload) => workload !== undefined),
    apply: put,
    forget: drop,
    nextChange(key, timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const changed = () => resolve(true);
      const timer = setTimeout(() => resolve(false), timeoutMs);
      const waiting = waiters.get(key) ?? new Set();
      waiters.set(key, waiting.add(changed));
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(changed);
        if (waiting.size === 0) waiters.delete(key);
      });
    },
    listen(listener) {
      listeners.push(listener);
    },
    handler() {
      let held = new Set<WorkloadKey>();
      let listing: Set<WorkloadKey> | undefined;
      return {
        listStarted() {
          listing = new Set();
        },
        upsert(workload) {
          const key = workloadKey(workload);
          held.add(key);
          listing?.add(key);
          put(workload);
        },
        removed(workload) {
          const key = workloadKey(workload);
          held.delete(key);
          drop(key);
        },
        listed() {
          for (const key of held) if (listing?.has(key) === false) drop(key);
          held = listing ?? held;
          listing = undefined;
        },
      };
    },
  };
}
