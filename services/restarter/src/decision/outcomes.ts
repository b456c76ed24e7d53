import { stableId } from "@rollcast/shared/events";
import type { Cause, RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import type { Change } from "../model/control-entry.ts";
import type { Pace } from "./throttle.ts";
import type { Failure, Outcome, Rollout, WorkloadRecord } from "../model/workload-record.ts";

type Extra = Partial<Omit<RolloutData, "workload">>;

const MAX_MESSAGE = 1_024;

function data(record: WorkloadRecord, extra: Extra): RolloutData {
  const { kind, namespace, name, uid } = record;
  return { workload: { kind, namespace, name, uid }, ...extra };
}

/** What every event of one rollout says. */
function about(rollout: Rollout): Extra {
  return {
    rollout: rollout.id,
    sources: rollout.changed,
    ...(rollout.queue === undefined ? {} : { queue: rollout.queue }),
    ...(rollout.cause === undefined ? {} : { cause: rollout.cause }),
    ...(rollout.affected === undefined ? {} : { affected: rollout.affected }),
    ...(rollout.generation === undefined ? {} : { generation: rollout.generation }),
  };
}

/** The trace that a rollout's events go on with. */
function traced({ traceparent }: Rollout): { traceparent?: string } {
  return traceparent === undefined ? {} : { traceparent };
}

function outcome(
  record: WorkloadRecord,
  id: string,
  word: RolloutOutcome,
  time: number,
  extra: Extra,
): Outcome {
  return { id, word, time, data: data(record, extra) };
}

/** `rollout.started`: its id depends on the rollout alone, so whoever publishes it publishes the same. */
export function started(record: WorkloadRecord, rollout: Rollout): Outcome {
  const time = rollout.startedAt ?? rollout.decidedAt;
  const paused = rollout.patience !== undefined && rollout.deadline === undefined;
  const { requestedBy } = rollout;
  const one = outcome(record, stableId(rollout.id, "started"), "started", time, {
    ...about(rollout),
    ...(requestedBy === undefined ? {} : { reason: "Requested", message: requestedBy }),
    ...(paused ? { reason: "Paused", message: "it is paused: pods restart once resumed" } : {}),
  });
  return { ...one, ...traced(rollout) };
}

function end(
  record: WorkloadRecord,
  rollout: Rollout,
  word: RolloutOutcome,
  extra: Extra & { reason: string },
  now: number,
): Outcome {
  const durationMs = Math.max(0, now - (rollout.startedAt ?? rollout.decidedAt));
  // One id for every way to end: the record lets one of them be written.
  const one = outcome(record, stableId(rollout.id, "end"), word, now, {
    ...about(rollout),
    durationMs,
    ...extra,
  });
  const broke = word === "failed" && rollout.startedAt !== undefined ? rollout.changes : undefined;
  return {
    ...one,
    ...traced(rollout),
    ...(rollout.slot === true && rollout.queue !== undefined ? { frees: rollout.queue } : {}),
    ...(broke === undefined ? {} : { broke }),
    ...(rollout.stalled === true && word !== "failed" ? { mends: true } : {}),
  };
}

/** The record after its rollout has ended; the end waits in the outbox. */
function ended(
  record: WorkloadRecord,
  rollout: Rollout,
  one: Outcome,
  phase: "current" | "failed",
): WorkloadRecord {
  const { rollout: _rollout, ...rest } = record;
  return {
    ...rest,
    phase,
    last: { rollout: rollout.id, word: one.word, time: one.time, reason: one.data.reason ?? "" },
    outbox: [...record.outbox, one],
  };
}

/** `how.reason` is given where the kind leaves a part of it to others (`OnDelete`): then nothing is said of being healthy. */
export function succeeded(
  record: WorkloadRecord,
  rollout: Rollout,
  how: { reason?: string; message?: string },
  now: number,
): WorkloadRecord {
  const { reason = "Complete", message } = how;
  const whole = how.reason === undefined && rollout.changedAt !== undefined;
  const extra = {
    reason,
    ...(message === undefined ? {} : { message: message.slice(0, MAX_MESSAGE) }),
    ...(whole ? { changeToHealthyMs: Math.max(0, now - (rollout.changedAt ?? now)) } : {}),
  };
  const one = end(record, rollout, "succeeded", extra, now);
  return ended(record, rollout, one, "current");
}

export function failed(
  record: WorkloadRecord,
  rollout: Rollout,
  why: { reason: string; message: string },
  now: number,
): WorkloadRecord {
  const extra = { reason: why.reason, message: why.message.slice(0, MAX_MESSAGE) };
  return ended(record, rollout, end(record, rollout, "failed", extra, now), "failed");
}

/**
 * The record of a rollout whose patch was refused, or given up after its attempts: it stays due and is tried again at `failure.retryAt`.
 * Told once for the same content and reason.
 */
export function refused(
  record: WorkloadRecord,
  rollout: Rollout,
  failure: Failure,
  now: number,
): WorkloadRecord {
  const before = record.failure;
  const told = before?.wanted === failure.wanted && before.reason === failure.reason;
  const next = { ...record, failure };
  if (!told) return failed(next, rollout, failure, now);
  const { rollout: _rollout, ...rest } = next;
  return { ...rest, phase: "failed" };
}

export function superseded(
  record: WorkloadRecord,
  rollout: Rollout,
  reason: "NewerContent" | "TemplateChanged" | "Requested",
  now: number,
): WorkloadRecord {
  const one = end(record, rollout, "superseded", { reason }, now);
  return ended(record, rollout, one, "current");
}

/** The record of a rollout whose Job is gone, and nobody has seen how it ended. */
export function jobGone(record: WorkloadRecord, rollout: Rollout, now: number): WorkloadRecord {
  const message = "the Job is gone, and how it ended was not seen";
  const one = end(record, rollout, "cancelled", { reason: "JobDeleted", message }, now);
  return ended(record, rollout, one, "current");
}

/** The record of a rollout that is due and must wait for the workload (`Suspended`, `Running`); told once. */
export function held(
  record: WorkloadRecord,
  reason: string,
  cause: Cause | undefined,
  { now, newId }: { now: number; newId: string },
): WorkloadRecord {
  const phase = record.phase === "rolling" ? record.phase : ("deferred" as const);
  if (record.held === reason) return { ...record, phase };
  const extra = { reason, ...(cause === undefined ? {} : { cause }) };
  const one = outcome(record, stableId(newId, "deferred"), "deferred", now, extra);
  return { ...record, phase, held: reason, outbox: [...record.outbox, one] };
}

/** The end of a rollout whose workload is gone. */
export function cancelled(
  record: WorkloadRecord,
  rollout: Rollout,
  reason: "Deleted" | "Recreated",
  now: number,
): Outcome {
  return end(record, rollout, "cancelled", { reason }, now);
}

export function stalled(record: WorkloadRecord, rollout: Rollout, now: number): WorkloadRecord {
  const one = outcome(record, stableId(rollout.id, "stalled"), "stalled", now, {
    ...about(rollout),
    reason: "Deadline",
    durationMs: Math.max(0, now - (rollout.startedAt ?? rollout.decidedAt)),
  });
  const { changes } = rollout;
  const told = {
    ...one,
    ...traced(rollout),
    ...(changes === undefined ? {} : { broke: changes }),
  };
  return {
    ...record,
    rollout: { ...rollout, stalled: true },
    outbox: [...record.outbox, told],
  };
}

/** The record of a rollout that will not be made, and why. */
export function skipped(
  record: WorkloadRecord,
  reason: string,
  cause: Cause | undefined,
  now: number,
  id: string,
): WorkloadRecord {
  const extra = { reason, ...(cause === undefined ? {} : { cause }) };
  const one = outcome(record, stableId(id, "skipped"), "skipped", now, extra);
  return { ...record, outbox: [...record.outbox, one] };
}

/** What is put off, why, and what would have brought it. */
type Deferral = { wait: Pace; cause: Cause | undefined; changes: readonly Change[] };

/** The record of a rollout that is due later; told once for each time it is put off for that reason. */
export function deferred(
  before: WorkloadRecord,
  { wait, cause, changes }: Deferral,
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
    told: true,
    ...(wait.reason === "halted" ? { changes: [...changes] } : {}),
  };
  if (told || (wait.reason === "throttled" && record.throttle !== undefined)) {
    return { ...record, phase, due };
  }
  const word = wait.reason === "throttled" ? "throttled" : "deferred";
  const one = outcome(record, stableId(id, word), word, now, {
    reason: wait.reason,
    ...(wait.at === undefined ? {} : { dueAt: new Date(wait.at).toISOString() }),
    ...(cause === undefined ? {} : { cause }),
  });
  return { ...record, phase, due, outbox: [...record.outbox, one] };
}

/** `rollout.planned`: once for each change that would roll the workload. */
export function planned(
  record: WorkloadRecord,
  eventId: string,
  extra: { queue: string; cause?: Cause; sources: number; affected?: number },
  now: number,
): Outcome {
  return outcome(record, stableId(eventId, record.uid, "planned"), "planned", now, extra);
}
