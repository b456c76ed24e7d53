import { stableId } from "@rollcast/shared/events";
import type { Cause } from "@rollcast/shared/events";
import type { Change } from "../model/control-entry.ts";
import type { Delay } from "./throttle.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { outboxEvent } from "./outcomes.ts";

/**
 * The record of a due rollout that must wait for the workload (`Suspended`, `Running`), and for
 * nothing else meanwhile; reported once.
 */
export function hold(
  record: WorkloadRecord,
  reason: string,
  cause: Cause | undefined,
  { now, newId }: { now: number; newId: string },
): WorkloadRecord {
  const { due: _due, ...rest } = record;
  const phase = record.phase === "rolling" ? record.phase : ("deferred" as const);
  if (record.hold === reason) return { ...rest, phase };
  const extra = { reason, cause };
  const event = outboxEvent(record, stableId(newId, "deferred"), "deferred", now, extra);
  return { ...rest, phase, hold: reason, outbox: [...record.outbox, event] };
}

/** What is deferred, why, and its cause. */
type DeferralInput = { wait: Delay; cause: Cause | undefined; changes: readonly Change[] };

/** The record of a rollout that is due later; reported once per deferral and reason. */
export function deferred(
  before: WorkloadRecord,
  { wait, cause, changes }: DeferralInput,
  now: number,
  id: string,
): WorkloadRecord {
  const { rollout: _rollout, ...rest } = before;
  const record = before.phase === "rolling" ? before : rest;
  const reported = record.due?.reason === wait.reason;
  const phase = record.phase === "rolling" ? record.phase : ("deferred" as const);
  const due = {
    at: wait.at,
    reason: wait.reason,
    published: true,
    changes: wait.reason === "Halted" ? [...changes] : undefined,
  };
  if (reported || (wait.reason === "Throttled" && record.throttle !== undefined)) {
    return { ...record, phase, due };
  }
  const outcome = wait.reason === "Throttled" ? "throttled" : "deferred";
  const event = outboxEvent(record, stableId(id, outcome), outcome, now, {
    reason: wait.reason,
    dueAt: wait.at === undefined ? undefined : new Date(wait.at).toISOString(),
    cause,
  });
  return { ...record, phase, due, outbox: [...record.outbox, event] };
}
