import { about, traced } from "./outcomes.ts";
import { stableId } from "@rollcast/shared/events";
import type { RolloutOutcome } from "@rollcast/shared/events";
import type { Failure, OutboxEvent, Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Extra } from "./outcomes.ts";
import { MAX_MESSAGE, outboxEvent } from "./outcomes.ts";

function end(
  record: WorkloadRecord,
  rollout: Rollout,
  outcome: RolloutOutcome,
  extra: Extra & { reason: string },
  now: number,
): OutboxEvent {
  const durationMs = Math.max(0, now - (rollout.startedAt ?? rollout.decidedAt));
  // All outcomes share one id: the record allows only one of them.
  const event = outboxEvent(record, stableId(rollout.id, "end"), outcome, now, {
    ...about(rollout),
    durationMs,
    ...extra,
  });
  const failedChanges =
    outcome === "failed" && rollout.startedAt !== undefined ? rollout.changes : undefined;
  return {
    ...event,
    ...traced(rollout),
    releasesQuota:
      rollout.quota === true && rollout.queue !== undefined ? rollout.queue : undefined,
    failedChanges,
    clearsFailure: rollout.stalled === true && outcome !== "failed" ? true : undefined,
  };
}

/** The record after its rollout ended; the event is in the outbox. */
function ended(
  record: WorkloadRecord,
  rollout: Rollout,
  event: OutboxEvent,
  phase: "current" | "failed",
): WorkloadRecord {
  const { rollout: _rollout, ...rest } = record;
  return {
    ...rest,
    phase,
    last: {
      rollout: rollout.id,
      outcome: event.outcome,
      time: event.time,
      reason: event.data.reason ?? "",
    },
    outbox: [...record.outbox, event],
  };
}

/**
 * `how.reason` is given if the kind leaves part of the work to others (`OnDelete`): then health is
 * not reported.
 */
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
    message: message === undefined ? undefined : message.slice(0, MAX_MESSAGE),
    changeToHealthyMs: whole ? Math.max(0, now - (rollout.changedAt ?? now)) : undefined,
  };
  const event = end(record, rollout, "succeeded", extra, now);
  return ended(record, rollout, event, "current");
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
 * The record of a rollout whose patch was refused, or abandoned after its attempts: it stays due
 * and is retried at `failure.retryAt`. Reported once per content and reason. What it waited for
 * before is over: a workload that is refused must not keep its place before those who wait.
 */
export function refused(
  record: WorkloadRecord,
  rollout: Rollout,
  failure: Failure,
  now: number,
): WorkloadRecord {
  const before = record.failure;
  const reported = before?.wanted === failure.wanted && before.reason === failure.reason;
  const { due: _due, hold: _hold, ...waited } = record;
  const next = { ...waited, failure };
  if (!reported) return failed(next, rollout, failure, now);
  const { rollout: _rollout, ...rest } = next;
  return { ...rest, phase: "failed" };
}

export function superseded(
  record: WorkloadRecord,
  rollout: Rollout,
  reason: "NewerContent" | "TemplateChanged" | "Requested",
  now: number,
): WorkloadRecord {
  const event = end(record, rollout, "superseded", { reason }, now);
  return ended(record, rollout, event, "current");
}

/** The record of a rollout whose Job is gone with an unknown outcome. */
export function jobGone(record: WorkloadRecord, rollout: Rollout, now: number): WorkloadRecord {
  const message = "the Job is gone, and how it ended was not seen";
  const event = end(record, rollout, "cancelled", { reason: "JobDeleted", message }, now);
  return ended(record, rollout, event, "current");
}

/** The end of a rollout whose workload is gone. */
export function cancelled(
  record: WorkloadRecord,
  rollout: Rollout,
  reason: "Deleted" | "Recreated",
  now: number,
): OutboxEvent {
  return end(record, rollout, "cancelled", { reason }, now);
}
