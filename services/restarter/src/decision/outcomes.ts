import { stableId } from "@rollcast/shared/events";
import type { Cause, RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { cutReasons } from "@rollcast/shared/event-envelope";
import { endedWith } from "../model/workload-record.ts";
import type { Failure, OutboxEvent, Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Change } from "../model/control-entry.ts";
import type { Delay } from "./decision.ts";

type Extra = Partial<Omit<RolloutData, "workload">>;

function data(record: WorkloadRecord, extra: Extra): RolloutData {
  const { kind, namespace, name, uid } = record;
  return cutReasons({ workload: { kind, namespace, name, uid }, ...extra });
}

/** The fields common to all events of one rollout. */
function about(rollout: Rollout): Extra {
  return {
    rollout: rollout.id,
    sources: rollout.changed,
    queue: rollout.queue,
    cause: rollout.cause,
    affected: rollout.affected,
    generation: rollout.generation,
  };
}

/** The trace that a rollout's events continue. */
function traced({ traceparent }: Rollout): { traceparent?: string } {
  return traceparent === undefined ? {} : { traceparent };
}

function outboxEvent(
  record: WorkloadRecord,
  id: string,
  outcome: RolloutOutcome,
  time: number,
  extra: Extra,
): OutboxEvent {
  return { id, outcome, time, data: data(record, extra) };
}

/**
 * `rollout.started`: its id depends on the rollout alone, so every publisher sends the same event.
 */
export function started(record: WorkloadRecord, rollout: Rollout): OutboxEvent {
  const time = rollout.startedAt ?? rollout.decidedAt;
  const paused = rollout.stallTimeout !== undefined && rollout.deadline === undefined;
  const { requestedBy } = rollout;
  const event = outboxEvent(record, stableId(rollout.id, "started"), "started", time, {
    ...about(rollout),
    ...(requestedBy === undefined ? {} : { reason: "Requested", message: requestedBy }),
    ...(paused ? { reason: "Paused", message: "it is paused: pods restart once resumed" } : {}),
  });
  return { ...event, ...traced(rollout) };
}

/** The record of a rollout that is late; `message`: how far it is, where its status says so. */
export function stalled(
  record: WorkloadRecord,
  rollout: Rollout,
  message: string | undefined,
  now: number,
): WorkloadRecord {
  const event = outboxEvent(record, stableId(rollout.id, "stalled"), "stalled", now, {
    ...about(rollout),
    reason: "Deadline",
    message,
    durationMs: Math.max(0, now - (rollout.startedAt ?? rollout.decidedAt)),
  });
  const stalledEvent = { ...event, ...traced(rollout), failedChanges: rollout.changes };
  return {
    ...record,
    rollout: { ...rollout, stalled: true },
    outbox: [...record.outbox, stalledEvent],
  };
}

/** The record of a rollout that will not be made, and why. */
export function skipped(
  record: WorkloadRecord,
  why: { readonly reason: string; readonly message?: string | undefined },
  cause: Cause | undefined,
  now: number,
  id: string,
): WorkloadRecord {
  const extra = { ...why, cause };
  const event = outboxEvent(record, stableId(id, "skipped"), "skipped", now, extra);
  const { planned: _, ...rest } = record;
  return { ...rest, outbox: [...record.outbox, event] };
}

/** `rollout.planned`: once per change that would roll the workload. */
export function planned(
  record: WorkloadRecord,
  eventId: string,
  extra: { queue: string; cause?: Cause; sources: number; affected?: number },
  now: number,
): OutboxEvent {
  return outboxEvent(record, stableId(eventId, record.uid, "planned"), "planned", now, extra);
}

/** The record of a plan that needs no rollout any more, or whose workload is gone. */
export function withoutPlan(
  record: WorkloadRecord,
  outcome: "superseded" | "cancelled",
  reason: "TemplateChanged" | "NewerContent" | "Deleted" | "Recreated",
  now: number,
): WorkloadRecord {
  const { planned: plan, ...rest } = record;
  if (plan === undefined) return record;
  const id = stableId(record.uid, String(plan.at), "planned-end");
  const extra = { reason, cause: plan.cause };
  return { ...rest, outbox: [...rest.outbox, outboxEvent(record, id, outcome, now, extra)] };
}

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
  // One that stalled has counted as failed from then on, or until somebody resumed its change.
  const isCounted = rollout.startedAt === undefined || rollout.stalled === true;
  const failedChanges = outcome === "failed" && !isCounted ? rollout.changes : undefined;
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
    ended: endedWith(record, rollout.id),
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
    message,
    changeToHealthyMs: whole ? Math.max(0, now - (rollout.changedAt ?? now)) : undefined,
  };
  const event = end(record, rollout, "succeeded", extra, now);
  const { stripped: _, ...rest } = record;
  return ended(rest, rollout, event, "current");
}

export function failed(
  record: WorkloadRecord,
  rollout: Rollout,
  why: { reason: string; message: string },
  now: number,
): WorkloadRecord {
  const { reason, message } = why;
  const event = end(record, rollout, "failed", { reason, message }, now);
  return ended(record, rollout, event, "failed");
}

/**
 * The record of a rollout whose patch was refused, or abandoned after its attempts: it stays due
 * and is retried at `failure.retryAt`. Reported once per content, reason and plan. It waits for
 * nothing else, for it must not keep its place before those who wait.
 */
export function refused(
  record: WorkloadRecord,
  rollout: Rollout,
  failure: Failure,
  now: number,
): WorkloadRecord {
  const before = record.failure;
  const isSame = before?.wanted === failure.wanted && before.reason === failure.reason;
  const reported = isSame && record.planned === undefined;
  const { due: _due, hold: _hold, ...waited } = record;
  const plans = record.planned?.ids ?? (isSame ? before.plans : undefined);
  const next = { ...waited, failure: { ...failure, plans } };
  if (!reported) return failed({ ...next, planned: undefined }, rollout, failure, now);
  const { rollout: _rollout, ...rest } = next;
  return { ...rest, phase: "failed" };
}

export function superseded(
  record: WorkloadRecord,
  rollout: Rollout,
  reason: "NewerContent" | "OtherInstallation" | "TemplateChanged" | "Requested" | "MarkerRemoved",
  now: number,
  message?: string,
): WorkloadRecord {
  const event = end(record, rollout, "superseded", { reason, message }, now);
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
  // It waits no longer for what it was held by.
  const { hold: _hold, ...released } = before;
  const { rollout: _rollout, ...rest } = released;
  const record = before.phase === "rolling" ? released : rest;
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
    message: wait.message,
    dueAt: wait.at === undefined ? undefined : new Date(wait.at).toISOString(),
    cause,
  });
  return { ...record, phase, due, outbox: [...record.outbox, event] };
}
