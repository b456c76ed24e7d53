import type { ReflectorHandler } from "@rollcast/kube/reflector";
import type { SourceKey } from "../model/content.ts";
import { splitSourceKey } from "../model/content.ts";
import { lenderOf, lent } from "./workload-ref.ts";
import { patternsOf, watchedSources } from "../model/watched-sources.ts";
import type { SourcePattern } from "../model/watched-sources.ts";
import { createLastSeen } from "./ended-workloads.ts";
import type { Rules } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { withEdit } from "./edit-time.ts";

export type IndexListener = {
  /** A workload appeared or changed; `before` is what was known. */
  changed(workload: Workload, before: Workload | undefined): void;
  removed(workload: Workload): void;
};

/** Every workload in scope, small, and which of them use a source. Fed by one reflector per kind and namespace. */
export type WorkloadIndex = {
  get(key: WorkloadKey): Workload | undefined;
  /** As `get`, and for a while after it is gone the last that was seen of a workload that had ended. */
  last(key: WorkloadKey): Workload | undefined;
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

function add<K>(sets: Map<K, Set<WorkloadKey>>, at: K, key: WorkloadKey): void {
  const keys = sets.get(at) ?? new Set();
  sets.set(at, keys.add(key));
}

function remove<K>(sets: Map<K, Set<WorkloadKey>>, at: K, key: WorkloadKey): void {
  const keys = sets.get(at);
  keys?.delete(key);
  if (keys?.size === 0) sets.delete(at);
}

function place(source: { kind: string; namespace: string }): string {
  return `${source.kind}/${source.namespace}`;
}

/** An empty index. `clock` gives milliseconds since the epoch. */
export function createWorkloadIndex(rules: Rules, clock: () => number = Date.now): WorkloadIndex {
  const { patterns } = rules;
  const workloads = new Map<WorkloadKey, Workload>();
  const users = new Map<SourceKey, Set<WorkloadKey>>();
  /** By kind and namespace of the sources that they name by patterns. */
  const searchers = new Map<string, Set<WorkloadKey>>();
  /** By workload whose template is borrowed: who borrows it, and what it is itself. */
  const borrowers = new Map<WorkloadKey, WorkloadKey>();
  const own = new Map<WorkloadKey, Workload>();
  const ended = createLastSeen();
  const listeners: IndexListener[] = [];
  const waiters = new Map<WorkloadKey, Set<() => void>>();

  const unlink = (workload: Workload) => {
    const key = workloadKey(workload);
    for (const source of watchedSources(workload)) remove(users, source, key);
    for (const pattern of patternsOf(workload)) remove(searchers, place(pattern), key);
  };
  const link = (workload: Workload) => {
    const key = workloadKey(workload);
    for (const source of watchedSources(workload)) add(users, source, key);
    for (const pattern of patternsOf(workload)) add(searchers, place(pattern), key);
  };
  const wake = (key: WorkloadKey) => {
    for (const resolve of waiters.get(key) ?? []) resolve();
  };
  /** Lends the template anew after its borrower changed, came or went. */
  const relend = (key: WorkloadKey) => {
    const lender = own.get(key) ?? workloads.get(key);
    if (lender !== undefined) put(lender);
  };
  const put = (workload: Workload, watched = false) => {
    const key = workloadKey(workload);
    const before = workloads.get(key);
    if (before !== undefined && isOlder(workload, before)) return;
    const borrower = workloads.get(borrowers.get(key) ?? key);
    const borrowed = borrower !== undefined && borrowers.has(key);
    if (borrowed) own.set(key, workload);
    const told = borrowed ? lent(workload, borrower, rules) : workload;
    const next = withEdit(told, before, { time: clock(), watched });
    if (before !== undefined) unlink(before);
    workloads.set(key, next);
    link(next);
    for (const listener of listeners) listener.changed(next, before);
    wake(key);
    const lender = lenderOf(next);
    if (lender === undefined) return;
    borrowers.set(lender, key);
    relend(lender);
  };
  const drop = (key: WorkloadKey, last?: Workload) => {
    const before = workloads.get(key);
    if (before === undefined) return;
    ended.add(last ?? before);
    unlink(before);
    workloads.delete(key);
    own.delete(key);
    for (const listener of listeners) listener.removed(before);
    wake(key);
    const lender = lenderOf(before);
    if (lender === undefined) return;
    borrowers.delete(lender);
    relend(lender);
    own.delete(lender);
  };

  return {
    get: (key) => workloads.get(key),
    last: (key) => workloads.get(key) ?? ended.get(key),
    all: () => workloads.values(),
    size: () => workloads.size,
    usersOf(source) {
      const { kind, namespace, name } = splitSourceKey(source);
      const found = new Set(users.get(source));
      for (const key of searchers.get(place({ kind, namespace })) ?? []) {
        const workload = workloads.get(key);
        const names = (one: SourcePattern) =>
          one.kind === kind && one.namespace === namespace && patterns.matches(one.pattern, name);
        if (workload !== undefined && patternsOf(workload).some(names)) found.add(key);
      }
      return [...found]
        .map((key) => workloads.get(key))
        .filter((workload) => workload !== undefined);
    },
    apply: (workload) => put(workload),
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
        upsert(workload, origin) {
          const key = workloadKey(workload);
          held.add(key);
          listing?.add(key);
          put(workload, origin === "watch");
        },
        removed(workload) {
          const key = workloadKey(workload);
          held.delete(key);
          const known = workloads.get(key);
          // The one that was made in its place may have been known before this was heard.
          if (known === undefined || known.uid === workload.uid) drop(key, workload);
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
