import { stableId } from "@rollcast/shared/events";
import type { Cause } from "@rollcast/shared/events";
import type { Change } from "../model/control-entry.ts";
import type { Delay } from "./throttle.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { outboxEvent } from "./outcomes.ts";

/** The record of a rollout that is due and must wait for the workload (`Suspended`, `Running`); told once. */
export function hold(
  record: WorkloadRecord,
  reason: string,
  cause: Cause | undefined,
  { now, newId }: { now: number; newId: string },
): WorkloadRecord {
  const phase = record.phase === "rolling" ? record.phase : ("deferred" as const);
  if (record.hold === reason) return { ...record, phase };
  const extra = { reason, ...(cause === undefined ? {} : { cause }) };
  const one = outboxEvent(record, stableId(newId, "deferred"), "deferred", now, extra);
  return { ...record, phase, hold: reason, outbox: [...record.outbox, one] };
}

/** What is put off, why, and what would have brought it. */
type DeferralInput = { wait: Delay; cause: Cause | undefined; changes: readonly Change[] };

/** The record of a rollout that is due later; told once for each time it is put off for that reason. */
export function deferred(
  before: WorkloadRecord,
  { wait, cause, changes }: DeferralInput,
  now: number,
  id: string,
): WorkloadRecord {
  const { rollout: _rollout, ...rest } = before;
  const record = before.phase === "rolling" ? before : rest;
  const told = record.due?.reason === wait.reason;
  const phase = record.phase === "rolling" ? record.phase : ("deferred" as const);
  const due = {
    ...(wait.at === undefined ? {} : { at: wait.at }),
    reason: wait.reason,
    published: true,
    ...(wait.reason === "Halted" ? { changes: [...changes] } : {}),
  };
  if (told || (wait.reason === "Throttled" && record.throttle !== undefined)) {
    return { ...record, phase, due };
  }
  const outcome = wait.reason === "Throttled" ? "throttled" : "deferred";
  const one = outboxEvent(record, stableId(id, outcome), outcome, now, {
    reason: wait.reason,
    ...(wait.at === undefined ? {} : { dueAt: new Date(wait.at).toISOString() }),
    ...(cause === undefined ? {} : { cause }),
  });
  return { ...record, phase, due, outbox: [...record.outbox, one] };
}
