import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { SourceRecord } from "@rollcast/shared/records";
import { createChangeWaiters } from "./change-waiters.ts";
import { createIndexHandler } from "./index-handler.ts";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { withReferrer, workloadRefOf } from "./workload-ref.ts";
import { createEndedWorkloads } from "./ended-workloads.ts";
import { createReadAhead, isOlder } from "./read-ahead.ts";
import type { NamePatterns, Rules } from "../model/rules.ts";
import { countAffected } from "../model/verdict.ts";
import { patternsOf, watchedSources, workloadKey } from "../model/workload.ts";
import type { SourcePattern, Workload, WorkloadKey } from "../model/workload.ts";
import { withCreation, withEdit } from "./edit-time.ts";

type IndexListener = {
  /** A workload appeared or changed; `before` is the previous state. */
  changed(workload: Workload, before: Workload | undefined): void;
  removed(workload: Workload): void;
};

/**
 * Every workload in scope, in compact form, and which of them use a source. Fed by one reflector
 * per kind and namespace.
 */
export type WorkloadIndex = {
  get(key: WorkloadKey): Workload | undefined;
  /** Like `get`, but for a while also returns an ended workload that is gone. */
  last(key: WorkloadKey): Workload | undefined;
  all(): Iterable<Workload>;
  size(): number;
  usersOf(source: SourceKey): Workload[];
  /**
   * Sets a workload from an API response, unless that version of its name or a newer one is
   * indexed: listeners are called for what is new only.
   */
  apply(workload: Workload): void;
  /** Removes a workload that the API server reports gone. */
  forget(key: WorkloadKey): void;
  /** Resolves with true when the workload changes, false after `timeoutMs`. */
  nextChange(key: WorkloadKey, timeoutMs: number): Promise<boolean>;
  listen(listener: IndexListener): void;
  /** A handler for one more reflector; its full list removes what it no longer has. */
  handler(): ReflectorHandler<Workload>;
};

/** An empty index. `clock` gives milliseconds since the epoch. */
export function createWorkloadIndex(rules: Rules, clock: () => number = Date.now): WorkloadIndex {
  const { patterns } = rules;
  const workloads = new Map<WorkloadKey, Workload>();
  const users = createSourceUsers(patterns, (key) => workloads.get(key));
  /** By workload with a referenced template: its referrer, and its own state. */
  const referrers = new Map<WorkloadKey, WorkloadKey>();
  const own = new Map<WorkloadKey, Workload>();
  const ended = createEndedWorkloads();
  const ahead = createReadAhead();
  const listeners: IndexListener[] = [];
  const waiters = createChangeWaiters();

  /** Updates the referenced workload after its referrer changed, came or went. */
  const reproject = (key: WorkloadKey) => {
    const target = own.get(key) ?? workloads.get(key);
    if (target !== undefined) put(target);
  };
  /** Ends that a workload is referenced by `referrer`; another one may reference it by now. */
  const release = (target: WorkloadKey, referrer: WorkloadKey) => {
    if (referrers.get(target) !== referrer) return;
    referrers.delete(target);
    reproject(target);
    own.delete(target);
  };
  /** The watch shows a version that a read has hidden: it may say when the template was edited. */
  const redate = (key: WorkloadKey, older: Workload, before: Workload) => {
    const dated = ahead.late(key, older, before, clock());
    if (dated !== before) workloads.set(key, dated);
  };
  const put = (workload: Workload, watched = false) => {
    const key = workloadKey(workload);
    const before = workloads.get(key);
    if (before?.uid === workload.uid && isOlder(workload, before)) {
      if (watched) redate(key, workload, before);
      return;
    }
    const referrer = workloads.get(referrers.get(key) ?? key);
    const borrowed = referrer !== undefined && referrers.has(key);
    if (borrowed) own.set(key, workload);
    const projected = borrowed ? withReferrer(workload, referrer, rules) : workload;
    const last = watched ? ahead.end(key, before) : before;
    const dated = withEdit(projected, last, { time: clock(), watched });
    const next = withCreation(ahead.marked(key, dated), before, watched);
    if (before !== undefined) users.remove(before);
    workloads.set(key, next);
    users.add(next);
    for (const listener of listeners) listener.changed(next, before);
    waiters.wake(key);
    const left = before === undefined ? undefined : workloadRefOf(before);
    const target = workloadRefOf(next);
    if (left !== undefined && left !== target) release(left, key);
    if (target === undefined) return;
    referrers.set(target, key);
    reproject(target);
  };
  const drop = (key: WorkloadKey, last?: Workload) => {
    const before = workloads.get(key);
    if (before === undefined) return;
    ended.add(last ?? before);
    ahead.end(key, before);
    users.remove(before);
    workloads.delete(key);
    own.delete(key);
    for (const listener of listeners) listener.removed(before);
    waiters.wake(key);
    const target = workloadRefOf(before);
    if (target !== undefined) release(target, key);
  };

  return {
    get: (key) => workloads.get(key),
    last: (key) => workloads.get(key) ?? ended.get(key),
    all: () => workloads.values(),
    size: () => workloads.size,
    usersOf: users.of,
    apply(workload) {
      const key = workloadKey(workload);
      const newest = workloads.get(key);
      if (newest !== undefined && !isOlder(newest, workload)) return;
      ahead.begin(key, newest);
      put(workload);
    },
    forget: drop,
    nextChange: waiters.next,
    listen: (listener) => void listeners.push(listener),
    handler: () => createIndexHandler({ get: (key) => workloads.get(key), put, drop }),
  };
}

/** Which workloads may roll for a source. */
type SourceUsers = {
  add(workload: Workload): void;
  remove(workload: Workload): void;
  of(source: SourceKey): Workload[];
};

function add<K>(sets: Map<K, Set<WorkloadKey>>, at: K, key: WorkloadKey): void {
  const keys = sets.get(at) ?? new Set();
  sets.set(at, keys.add(key));
}

function remove<K>(sets: Map<K, Set<WorkloadKey>>, at: K, key: WorkloadKey): void {
  const keys = sets.get(at);
  keys?.delete(key);
  if (keys?.size === 0) sets.delete(at);
}

/** Where a source, or a pattern of sources, is. */
export function place(source: { kind: string; namespace: string }): string {
  return `${source.kind}/${source.namespace}`;
}

/** `get` returns an added workload in its present state. */
function createSourceUsers(
  patterns: NamePatterns,
  get: (key: WorkloadKey) => Workload | undefined,
): SourceUsers {
  const users = new Map<SourceKey, Set<WorkloadKey>>();
  /** By kind and namespace of the sources in their patterns. */
  const searchers = new Map<string, Set<WorkloadKey>>();
  return {
    remove(workload) {
      const key = workloadKey(workload);
      for (const source of watchedSources(workload)) remove(users, source, key);
      for (const pattern of patternsOf(workload)) remove(searchers, place(pattern), key);
    },
    add(workload) {
      const key = workloadKey(workload);
      for (const source of watchedSources(workload)) add(users, source, key);
      for (const pattern of patternsOf(workload)) add(searchers, place(pattern), key);
    },
    of(source) {
      const { kind, namespace, name } = splitSourceKey(source);
      const userKeys = new Set(users.get(source));
      for (const key of searchers.get(place({ kind, namespace })) ?? []) {
        const workload = get(key);
        const names = (pattern: SourcePattern) =>
          pattern.kind === kind &&
          pattern.namespace === namespace &&
          patterns.matches(pattern.pattern, name);
        if (workload !== undefined && patternsOf(workload).some(names)) userKeys.add(key);
      }
      return [...userKeys].map((key) => get(key)).filter((workload) => workload !== undefined);
    },
  };
}

/** How many workloads the last change of a source rolls. */
export type Affected = (source: SourceKey, record: SourceRecord) => number;

/** Cached counts: those of sources that change together. */
const MAX_COUNTS = 1_000;

/**
 * Counts each change once, so that all its rollouts report the same number, and a change that rolls
 * thousands of workloads is not counted thousands of times.
 */
export function createAffectedCounts(
  index: Pick<WorkloadIndex, "usersOf">,
  rules: Rules,
): Affected {
  const counts = new Map<SourceKey, { version: string; count: number }>();
  return (source, record) => {
    const version = `${record.uid} ${record.resourceVersion}`;
    const cached = counts.get(source);
    if (cached?.version === version) return cached.count;
    const count = countAffected(index.usersOf(source), source, { record, rules });
    counts.delete(source);
    counts.set(source, { version, count });
    for (const oldest of counts.keys()) {
      if (counts.size <= MAX_COUNTS) break;
      counts.delete(oldest);
    }
    return count;
  };
}
