import { createChangeWaiters } from "./change-waiters.ts";
import { createIndexHandler } from "./index-handler.ts";
import { createSourceUsers } from "./source-users.ts";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { SourceKey } from "../model/content.ts";
import { workloadRefOf, withReferrer } from "./workload-ref.ts";
import { createEndedWorkloads } from "./ended-workloads.ts";
import type { Rules } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { withEdit } from "./edit-time.ts";

export type IndexListener = {
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
  /** Sets a workload from an API response, unless a newer one is indexed. */
  apply(workload: Workload): void;
  /** Removes a workload that the API server reports gone. */
  forget(key: WorkloadKey): void;
  /** Resolves with true when the workload changes, false after `timeoutMs`. */
  nextChange(key: WorkloadKey, timeoutMs: number): Promise<boolean>;
  listen(listener: IndexListener): void;
  /** A handler for one more reflector; its full list removes what it no longer has. */
  handler(): ReflectorHandler<Workload>;
};

function isOlder(a: Workload, b: Workload): boolean {
  return a.uid === b.uid && BigInt(a.resourceVersion) < BigInt(b.resourceVersion);
}

/** An empty index. `clock` gives milliseconds since the epoch. */
export function createWorkloadIndex(rules: Rules, clock: () => number = Date.now): WorkloadIndex {
  const { patterns } = rules;
  const workloads = new Map<WorkloadKey, Workload>();
  const users = createSourceUsers(patterns, (key) => workloads.get(key));
  /** By workload with a referenced template: its referrer, and its own state. */
  const referrers = new Map<WorkloadKey, WorkloadKey>();
  const own = new Map<WorkloadKey, Workload>();
  const ended = createEndedWorkloads();
  const listeners: IndexListener[] = [];
  const waiters = createChangeWaiters();

  /** Updates the referenced workload after its referrer changed, came or went. */
  const reproject = (key: WorkloadKey) => {
    const target = own.get(key) ?? workloads.get(key);
    if (target !== undefined) put(target);
  };
  const put = (workload: Workload, watched = false) => {
    const key = workloadKey(workload);
    const before = workloads.get(key);
    if (before !== undefined && isOlder(workload, before)) return;
    const referrer = workloads.get(referrers.get(key) ?? key);
    const borrowed = referrer !== undefined && referrers.has(key);
    if (borrowed) own.set(key, workload);
    const projected = borrowed ? withReferrer(workload, referrer, rules) : workload;
    const next = withEdit(projected, before, { time: clock(), watched });
    if (before !== undefined) users.remove(before);
    workloads.set(key, next);
    users.add(next);
    for (const listener of listeners) listener.changed(next, before);
    waiters.wake(key);
    const target = workloadRefOf(next);
    if (target === undefined) return;
    referrers.set(target, key);
    reproject(target);
  };
  const drop = (key: WorkloadKey, last?: Workload) => {
    const before = workloads.get(key);
    if (before === undefined) return;
    ended.add(last ?? before);
    users.remove(before);
    workloads.delete(key);
    own.delete(key);
    for (const listener of listeners) listener.removed(before);
    waiters.wake(key);
    const target = workloadRefOf(before);
    if (target === undefined) return;
    referrers.delete(target);
    reproject(target);
    own.delete(target);
  };

  return {
    get: (key) => workloads.get(key),
    last: (key) => workloads.get(key) ?? ended.get(key),
    all: () => workloads.values(),
    size: () => workloads.size,
    usersOf: users.of,
    apply: (workload) => put(workload),
    forget: drop,
    nextChange: waiters.next,
    listen(listener) {
      listeners.push(listener);
    },
    handler: () => createIndexHandler({ get: (key) => workloads.get(key), put, drop }),
  };
}
