import { advance } from "../decision/advance.ts";
import type { Context } from "../context.ts";
import { isGate } from "../decision/blocking-gate.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";

/** A record that stays `pending`, or keeps an outcome, for longer than this has lost its writer. */
const ORPHAN_MS = 30_000;

export function isUnfinished(record: WorkloadRecord): boolean {
  return (
    record.phase === "pending" ||
    record.phase === "rolling" ||
    record.due !== undefined ||
    record.failure !== undefined ||
    record.staleSince !== undefined ||
    record.outbox.length > 0
  );
}

/** Whether an outcome in the record was published by nobody for long. */
export function isOrphaned({ outbox }: WorkloadRecord, now: number): boolean {
  return outbox.some(({ time }) => now > time + ORPHAN_MS);
}

export function isDue(ctx: Context, record: WorkloadRecord, now: number): boolean {
  const { due, rollout } = record;
  const workload = ctx.index.get(workloadKey(record));
  if (due !== undefined && isGate(due.reason)) {
    if (workload !== undefined && ctx.admission.isOpen(record, workload)) return true;
  } else {
    if (due?.at !== undefined && due.at <= now) return true;
    if (record.failure !== undefined && record.failure.retryAt <= now) return true;
  }
  if (record.phase === "pending") return now > (rollout?.decidedAt ?? 0) + ORPHAN_MS;
  return hasProgressed(ctx, record, now);
}

/** Whether a followed rollout has ended or is late. */
export function hasProgressed(ctx: Context, record: WorkloadRecord, now: number): boolean {
  const workload = ctx.index.get(workloadKey(record));
  const jobName = record.rollout?.job;
  const job =
    jobName === undefined
      ? undefined
      : ctx.index.last(workloadKey({ ...record, kind: "Job", name: jobName }));
  return workload !== undefined && advance(record, workload, now, job) !== record;
}

export function specChanged(now: Workload, before: Workload | undefined): boolean {
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
