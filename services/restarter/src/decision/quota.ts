import type { QuotaUse, QueueState } from "../model/control-entry.ts";

/** Limits on unfinished rollouts; unset: no limit. */
export type QuotaLimits = {
  readonly maxRolling?: number;
  readonly maxRollingPerNamespace?: number;
};

/**
 * A workload that waits for quota, by `<kind>/<namespace>/<name>`. `since` in milliseconds since
 * the epoch.
 */
export type Waiter = { readonly key: string; readonly since: number };

type Rolling = QueueState["rolling"];

export function isLimited(limits: QuotaLimits): boolean {
  return limits.maxRolling !== undefined || limits.maxRollingPerNamespace !== undefined;
}

function namespaceOf(key: string): string {
  return key.split("/")[1] ?? "";
}

/** Counts quota in use, in total and by namespace. */
function counter(rolling: Rolling, limits: QuotaLimits) {
  const { maxRolling = Number.POSITIVE_INFINITY } = limits;
  const { maxRollingPerNamespace: perNamespace = Number.POSITIVE_INFINITY } = limits;
  const byNamespace = new Map<string, number>();
  let total = 0;
  const add = (key: string) => {
    const namespace = namespaceOf(key);
    byNamespace.set(namespace, (byNamespace.get(namespace) ?? 0) + 1);
    total += 1;
  };
  for (const key of Object.keys(rolling)) add(key);
  return {
    add,
    isFull: () => total >= maxRolling,
    hasRoom: (key: string) =>
      total < maxRolling && (byNamespace.get(namespaceOf(key)) ?? 0) < perNamespace,
  };
}

/** Whether one more may begin, regardless of waiters. */
export function hasRoom(rolling: Rolling, limits: QuotaLimits, key: string): boolean {
  return Object.hasOwn(rolling, key) || counter(rolling, limits).hasRoom(key);
}

function isOlder(a: Waiter, b: Waiter): boolean {
  return a.since < b.since || (a.since === b.since && a.key < b.key);
}

/** Oldest first. */
export function inOrder(waiters: Iterable<Waiter>): Waiter[] {
  return [...waiters].toSorted((a, b) => (isOlder(a, b) ? -1 : 1));
}

/**
 * Which waiters, oldest first, get the free quota. A namespace at its limit does not block the
 * others.
 */
export function admissible(
  rolling: Rolling,
  limits: QuotaLimits,
  waiters: readonly Waiter[],
): Waiter[] {
  const count = counter(rolling, limits);
  const granted: Waiter[] = [];
  for (const waiter of waiters) {
    if (count.isFull()) break;
    if (Object.hasOwn(rolling, waiter.key) || !count.hasRoom(waiter.key)) continue;
    count.add(waiter.key);
    granted.push(waiter);
  }
  return granted;
}

/** Whether the workload may begin now, given the waiters (oldest first) ahead of it. */
export function mayStart(
  rolling: Rolling,
  limits: QuotaLimits,
  waiters: readonly Waiter[],
  self: Waiter,
): boolean {
  if (Object.hasOwn(rolling, self.key)) return true;
  const ahead: Waiter[] = [];
  for (const waiter of waiters) {
    if (!isOlder(waiter, self)) break;
    if (waiter.key !== self.key) ahead.push(waiter);
  }
  const before = Object.fromEntries(
    admissible(rolling, limits, ahead).map(({ key }) => [key, NOBODY]),
  );
  return hasRoom({ ...rolling, ...before }, limits, self.key);
}

const NOBODY: QuotaUse = { rollout: "", since: 0, changes: [] };
