import { stableId } from "@rollcast/shared/events";
import type { Cause, RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import type { Pace } from "./pace.ts";
import type { Failure, Outcome, Rollout, WorkloadRecord } from "./record.ts";

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
    ...(rollout.cause === undefined ? {} : { cause: rollout.cause }),
    ...(rollout.generation === undefined ? {} : { generation: rollout.generation }),
  };
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
  return outcome(record, stableId(rollout.id, "started"), "started", time, about(rollout));
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
  return outcome(record, stableId(rollout.id, "end"), word, now, {
    ...about(rollout),
    durationMs,
    ...extra,
  });
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

export function succeeded(record: WorkloadRecord, rollout: Rollout, now: number): WorkloadRecord {
  const changeToHealthyMs =
    rollout.changedAt === undefined ? undefined : Math.max(0, now - rollout.changedAt);
  const one = end(
    record,
    rollout,
    "succeeded",
    { reason: "Complete", ...(changeToHealthyMs === undefined ? {} : { changeToHealthyMs }) },
    now,
  );
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
  reason: "NewerContent" | "TemplateChanged",
  now: number,
): WorkloadRecord {
  const one = end(record, rollout, "superseded", { reason }, now);
  return ended(record, rollout, one, "current");
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
  return {
    ...record,
    rollout: { ...rollout, stalled: true },
    outbox: [...record.outbox, one],
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

/** The record of a rollout that is due later; told once for each time it is put off for that reason. */
export function deferred(
  record: WorkloadRecord,
  wait: Pace,
  cause: Cause | undefined,
  now: number,
  id: string,
): WorkloadRecord {
  const told = record.due?.reason === wait.reason;
  const phase = record.phase === "rolling" ? record.phase : ("deferred" as const);
  const due = { at: wait.at, reason: wait.reason, told: true };
  if (told || (wait.reason === "throttled" && record.throttle !== undefined)) {
    return { ...record, phase, due };
  }
  const word = wait.reason === "throttled" ? "throttled" : "deferred";
  const one = outcome(record, stableId(id, word), word, now, {
    reason: wait.reason,
    dueAt: new Date(wait.at).toISOString(),
    ...(cause === undefined ? {} : { cause }),
  });
  return { ...record, phase, due, outbox: [...record.outbox, one] };
}

/** `rollout.planned`: once for each change that would roll the workload. */
export function planned(
  record: WorkloadRecord,
  eventId: string,
  extra: { queue: string; cause?: Cause; sources: number },
  now: number,
): Outcome {
  return outcome(record, stableId(eventId, record.uid, "planned"), "planned", now, extra);
}
