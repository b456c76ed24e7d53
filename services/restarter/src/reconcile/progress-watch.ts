import type { Context } from "../context.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { isAtRest, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { advance, openRequest } from "../decision/rollout.ts";
import { isGate } from "../decision/blocking-gate.ts";

const TICK_MS = 1_000;

/** The workloads followed now. */
export type ProgressWatch = {
  /** Observes a record as it is in memory. */
  observe(record: WorkloadRecord): void;
  /** The last observed record of a followed workload. */
  get(key: WorkloadKey): WorkloadRecord | undefined;
  all(): Iterable<readonly [WorkloadKey, WorkloadRecord]>;
  /** Enqueues everything that may continue now, because a gate may have opened. */
  enqueueDue(): void;
  /** Enqueues the waiters that may get the free quota. */
  enqueueAdmissible(): void;
  /** How many have a rollout that is due or unfinished. */
  count(): number;
  /**
   * Counts the workloads whose pods do not run the present content, and the earliest time since (ms
   * since the epoch).
   */
  stale(): { count: number; since: number | undefined };
};

/** The CronJob of this Job, if any: its rollout ends with it, or waits for its end. */
function runnerOf({ kind, owner, namespace }: Workload): WorkloadKey | undefined {
  return kind !== "Job" || owner === undefined ? undefined : workloadKey({ ...owner, namespace });
}

/**
 * Watches the index and the records, and enqueues a workload for reconciliation when it may have
 * progressed: its rollout ended or is late, its spec was edited, it is gone, or a deferral ended.
 * It costs no requests: it uses watches that exist anyway.
 */
export function startProgressWatch(
  ctx: Context,
  enqueue: (key: WorkloadKey) => void,
  signal: AbortSignal,
): ProgressWatch {
  const active = new Map<WorkloadKey, WorkloadRecord>();
  const observe = (record: WorkloadRecord) => {
    const key = workloadKey(record);
    ctx.admission.observe(key, record);
    if (isUnfinished(record) || record.partial === true) active.set(key, record);
    else active.delete(key);
    if (active.has(key) && isDue(ctx, record, Date.now())) enqueue(key);
  };
  ctx.index.listen({
    changed(workload, before) {
      const key = workloadKey(workload);
      const record = active.get(key);
      const opted = workload.mayRoll || (before !== undefined && before.mayRoll);
      if (specChanged(workload, before) && (opted || record !== undefined)) enqueue(key);
      else if (record !== undefined && hasProgressed(ctx, record, Date.now())) enqueue(key);
      const runner = runnerOf(workload);
      if (runner !== undefined && active.has(runner)) enqueue(runner);
    },
    removed(workload) {
      const runner = runnerOf(workload);
      if (runner !== undefined && active.has(runner)) enqueue(runner);
      if (workload.mayRoll || active.has(workloadKey(workload))) enqueue(workloadKey(workload));
    },
  });
  ctx.recordCache.listen((_key, record, before) => {
    if (record !== undefined) return observe(record);
    if (before === undefined) return;
    active.delete(workloadKey(before));
    ctx.admission.observe(workloadKey(before), undefined);
  });
  const enqueueAdmissible = () => {
    for (const key of ctx.admission.admissible()) enqueue(key);
  };
  const enqueueDue = () => {
    const now = Date.now();
    for (const [key, record] of active) {
      if (isDue(ctx, record, now) || isOrphaned(record, now)) enqueue(key);
    }
    enqueueAdmissible();
  };
  const tick = setInterval(enqueueDue, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(tick), { once: true });
  return {
    observe,
    get: (key) => active.get(key),
    all: () => active,
    enqueueDue,
    enqueueAdmissible,
    count: () => [...active.values()].filter(isUnfinished).length,
    stale() {
      const since = [...active.values()]
        .map((progress) => progress.staleSince)
        .filter((time) => time !== undefined);
      return { count: since.length, since: since.length === 0 ? undefined : Math.min(...since) };
    },
  };
}

/**
 * A record that stays `pending`, or keeps an outcome or a request, for longer than this has lost
 * its writer.
 */
const ORPHAN_MS = 30_000;

function isUnfinished(record: WorkloadRecord): boolean {
  return (
    record.phase === "pending" ||
    record.phase === "rolling" ||
    record.due !== undefined ||
    record.failure !== undefined ||
    record.staleSince !== undefined ||
    openRequest(record) !== undefined ||
    record.outbox.length > 0
  );
}

/** Whether an outcome in the record was published by nobody for long. */
function isOrphaned({ outbox }: WorkloadRecord, now: number): boolean {
  return outbox.some(({ time }) => now > time + ORPHAN_MS);
}

/**
 * Whether nobody may have made a job of what somebody requested, and nothing holds it back. One
 * that waits in its queue is looked at every {@link ORPHAN_MS}.
 */
function isRequestLeft(record: WorkloadRecord, now: number): boolean {
  const { due, failure, hold } = record;
  if (due !== undefined || failure !== undefined || hold !== undefined) return false;
  const age = now - (openRequest(record)?.at ?? now);
  return age >= ORPHAN_MS && age % ORPHAN_MS < TICK_MS;
}

function isDue(ctx: Context, record: WorkloadRecord, now: number): boolean {
  const { due, rollout } = record;
  const workload = ctx.index.get(workloadKey(record));
  if (due !== undefined && isGate(due.reason)) {
    if (workload !== undefined && ctx.admission.isOpen(record, workload)) return true;
  } else {
    if (due?.at !== undefined && due.at <= now) return true;
    if (record.failure !== undefined && record.failure.retryAt <= now) return true;
  }
  if (record.phase === "pending") return now > (rollout?.decidedAt ?? 0) + ORPHAN_MS;
  return isRequestLeft(record, now) || hasProgressed(ctx, record, now);
}

/** Whether a followed rollout has ended or is late. */
function hasProgressed(ctx: Context, record: WorkloadRecord, now: number): boolean {
  const workload = ctx.index.get(workloadKey(record));
  const jobName = record.rollout?.job;
  const job =
    jobName === undefined
      ? undefined
      : ctx.index.last(workloadKey({ ...record, kind: "Job", name: jobName }));
  if (workload === undefined) return false;
  return isOverNow(record, workload) || advance(record, workload, now, job) !== record;
}

/** Whether the pods that an ended rollout left are gone, and nothing that is due will record it. */
function isOverNow(record: WorkloadRecord, workload: Workload): boolean {
  const isDueAnyway = record.phase === "pending" || record.planned !== undefined;
  const isSame = record.uid === workload.uid;
  return record.partial === true && isSame && !isDueAnyway && isAtRest(workload);
}

function specChanged(now: Workload, before: Workload | undefined): boolean {
  return (
    before === undefined ||
    before.uid !== now.uid ||
    before.templateHash !== now.templateHash ||
    before.marks.reloader !== now.marks.reloader ||
    before.paused !== now.paused ||
    before.hold !== now.hold ||
    before.rollBy !== now.rollBy ||
    before.finished !== now.finished ||
    before.deleting !== now.deleting ||
    JSON.stringify(before.annotations) !== JSON.stringify(now.annotations) ||
    JSON.stringify(before.templateAnnotations) !== JSON.stringify(now.templateAnnotations)
  );
}
