import type { CommonOrder } from "@rollcast/kube/resource-version";
import { sourceKeys } from "@rollcast/nats/installation";
import type { Kv } from "@rollcast/nats/kv";
import { SourceKind } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { kindToken, parseRecordKey } from "@rollcast/shared/subjects";
import type { ObjectRef } from "@rollcast/shared/subjects";
import { createChangeWaiters } from "./change-waiters.ts";
import { createIndexHandler } from "./index-handler.ts";
import type { ShownBy } from "./index-handler.ts";
import { sourceKey, splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { createReferrers, workloadRefOf } from "./workload-ref.ts";
import { createEndedWorkloads } from "./ended-workloads.ts";
import type { NamePatterns, Rules } from "../model/rules.ts";
import { patternsOf, watchedSources, workloadKey } from "../model/workload.ts";
import type { SourcePattern, Workload, WorkloadKey } from "../model/workload.ts";
import type { IndexListener, SourceNames, WorkloadIndex } from "./index-types.ts";
import { createReadAhead, isOlder, withCreation, withEdit } from "./edit-time.ts";

/** An empty index. `clock` gives milliseconds since the epoch. */
export function createWorkloadIndex(rules: Rules, clock = Date.now, order?: CommonOrder) {
  const { patterns } = rules;
  const workloads = new Map<WorkloadKey, Workload>();
  const get = (key: WorkloadKey) => workloads.get(key);
  const users = createSourceUsers(patterns, get);
  const referrers = createReferrers(rules, get);
  const ended = createEndedWorkloads();
  const ahead = createReadAhead();
  const listeners: IndexListener[] = [];
  const waiters = createChangeWaiters();

  /** Updates the referenced workload after its referrer changed, came or went. */
  const reproject = (key: WorkloadKey) => {
    const target = referrers.own(key) ?? workloads.get(key);
    if (target !== undefined) put(target);
  };
  /** Ends that a workload is referenced by `referrer`; another one may reference it by now. */
  const release = (target: WorkloadKey, referrer: WorkloadKey) => {
    const own = referrers.remove(target, referrer);
    if (own !== undefined) put(own);
  };
  /** The watch shows a version that a read has hidden: it may say when the template was edited. */
  const redate = (key: WorkloadKey, older: Workload, before: Workload) => {
    const dated = ahead.late(key, older, before, clock());
    if (dated !== before) workloads.set(key, dated);
  };
  const put = (workload: Workload, by: ShownBy = "answer") => {
    const key = workloadKey(workload);
    const before = workloads.get(key);
    const watched = by === "watch";
    const isRestored = by === "restored";
    if (before?.uid === workload.uid && isOlder(workload, before) && !isRestored) {
      if (watched) redate(key, workload, before);
      return;
    }
    const projected = referrers.keep(workload);
    const shown = watched || isRestored ? ahead.end(key, before) : before;
    // Versions of before say nothing of the time since.
    const last = isRestored ? undefined : shown;
    const dated = withEdit(projected, last, { time: clock(), watched });
    const marked = ahead.marked(key, dated);
    const next = withCreation(marked, isRestored ? undefined : before, { watched, ended });
    if (before !== undefined) users.remove(before);
    workloads.set(key, next);
    users.add(next);
    for (const listener of listeners) listener.changed(next, before);
    waiters.wake(key);
    const left = before === undefined ? undefined : workloadRefOf(before);
    const target = workloadRefOf(next);
    if (left !== undefined && left !== target) release(left, key);
    if (target === undefined) return;
    referrers.add(target, key);
    reproject(target);
  };
  const drop = (key: WorkloadKey, last?: Workload) => {
    const before = workloads.get(key);
    if (before === undefined) return;
    const { editedAt, orphans, podsSince } = before;
    ended.add({ ...(last ?? before), editedAt, podsSince, orphans: last?.orphans ?? orphans });
    ahead.end(key, before);
    users.remove(before);
    workloads.delete(key);
    referrers.forget(key);
    for (const listener of listeners) listener.removed(before);
    waiters.wake(key);
    const target = workloadRefOf(before);
    if (target !== undefined) release(target, key);
  };

  const index: WorkloadIndex = {
    referred: referrers.referred,
    get,
    last: (key) => workloads.get(key) ?? ended.get(key),
    all: () => workloads.values(),
    size: () => workloads.size,
    usersOf: users.of,
    apply(workload, indexed) {
      const key = workloadKey(workload);
      const newest = workloads.get(key);
      if (newest !== undefined && newest === indexed && isOlder(workload, newest)) {
        return put(workload, "restored");
      }
      if (newest === undefined ? ended.isGone(workload.uid) : !isOlder(newest, workload)) return;
      ahead.begin(key, newest);
      put(workload);
    },
    forget: drop,
    nextChange: waiters.next,
    listen: (listener) => void listeners.push(listener),
    handler: (kind) => createIndexHandler({ kind, order, clock, ended, get, put, drop }),
  };
  return index;
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

/** Where a source, or a pattern of sources, is. */
function place(source: { kind: string; namespace: string }): string {
  return `${source.kind}/${source.namespace}`;
}

/** Which workloads may roll for a source. `get` returns an added one in its present state. */
function createSourceUsers(
  patterns: NamePatterns,
  get: (key: WorkloadKey) => Workload | undefined,
) {
  const users = new Map<SourceKey, Set<WorkloadKey>>();
  /** By kind and namespace of the sources in their patterns. */
  const searchers = new Map<string, Set<WorkloadKey>>();
  return {
    remove(workload: Workload): void {
      const key = workloadKey(workload);
      for (const source of watchedSources(workload)) remove(users, source, key);
      for (const pattern of patternsOf(workload)) remove(searchers, place(pattern), key);
    },
    add(workload: Workload): void {
      const key = workloadKey(workload);
      for (const source of watchedSources(workload)) add(users, source, key);
      for (const pattern of patternsOf(workload)) add(searchers, place(pattern), key);
    },
    of(source: SourceKey): Workload[] {
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

/** An empty set of names. The workloads that may use a new one are enqueued by `onNamed`. */
export function createSourceNames(
  patterns: NamePatterns,
  index: Pick<WorkloadIndex, "usersOf">,
  onNamed: { readonly enqueue: (key: WorkloadKey) => void },
): SourceNames {
  const byPlace = new Map<string, Set<string>>();
  const removeAt = (at: string, name: string) => {
    const names = byPlace.get(at);
    names?.delete(name);
    if (names?.size === 0) byPlace.delete(at);
  };
  return {
    remove: ({ name, ...source }) => removeAt(place(source), name),
    retain(kept) {
      for (const [at, names] of byPlace) {
        for (const name of names) if (!kept.has(`${at}/${name}` as SourceKey)) removeAt(at, name);
      }
    },
    matching: ({ kind, namespace, pattern }) =>
      [...(byPlace.get(place({ kind, namespace })) ?? [])]
        .filter((name) => patterns.matches(pattern, name))
        .toSorted()
        .map((name) => sourceKey(kind, namespace, name)),
    add({ kind, namespace, name }) {
      const at = place({ kind, namespace });
      const names = byPlace.get(at) ?? new Set();
      byPlace.set(at, names);
      if (names.has(name)) return;
      names.add(name);
      for (const workload of index.usersOf(sourceKey(kind, namespace, name))) {
        onNamed.enqueue(workloadKey(workload));
      }
    },
  };
}

type NameFeed = {
  readonly sources: Kv<SourceRecord>;
  readonly cluster: string;
  readonly signal: AbortSignal;
  /** Called with each record that has annotations that count, or had some at its start. */
  readonly onAnnotated?: (record: SourceRecord) => void;
};

/** The source that a record's key is about, whatever the record holds. */
function sourceOf(key: string): ObjectRef | undefined {
  const ref = parseRecordKey(key);
  const kind = SourceKind.options.find((each) => kindToken(each) === ref?.kind);
  return ref === undefined || kind === undefined ? undefined : { ...ref, kind };
}

/**
 * Keeps the names of the sources that have a record, until `signal` fires; resolves when the
 * present ones are in. One whose record cannot be read has its name: whoever may use it says so.
 */
export async function feedSourceNames(names: SourceNames, feed: NameFeed): Promise<void> {
  const { sources, cluster, signal, onAnnotated } = feed;
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  const annotated = new Set<string>();
  /** While the bucket is listed: what it has shown. */
  let listed: Set<SourceKey> | undefined;
  const add = (source: ObjectRef | undefined) => {
    if (source === undefined) return;
    listed?.add(sourceKey(source.kind, source.namespace, source.name));
    names.add(source);
  };
  sources.listAndWatch({
    filter: sourceKeys(cluster),
    signal,
    onStart() {
      listed = new Set();
    },
    onEntry(key, record) {
      if (record === undefined) {
        const source = sourceOf(key);
        if (source !== undefined) names.remove(source);
        return void annotated.delete(key);
      }
      add(record);
      if (Object.keys(record.annotations).length > 0) annotated.add(key);
      if (annotated.has(key)) onAnnotated?.(record);
    },
    onUnreadable(key) {
      const source = sourceOf(key);
      // Added anew, its users are enqueued, also where it had its name before.
      if (source !== undefined) names.remove(source);
      add(source);
    },
    onSynced() {
      if (listed !== undefined) names.retain(listed);
      listed = undefined;
      resolve();
    },
  });
  signal.addEventListener("abort", () => resolve(), { once: true });
  await synced;
}
