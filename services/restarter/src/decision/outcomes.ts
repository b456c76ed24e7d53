import { stableId } from "@rollcast/shared/events";
import type { Cause, RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import type { OutboxEvent, Rollout, WorkloadRecord } from "../model/workload-record.ts";

export type Extra = Partial<Omit<RolloutData, "workload">>;

export const MAX_MESSAGE = 1_024;

function data(record: WorkloadRecord, extra: Extra): RolloutData {
  const { kind, namespace, name, uid } = record;
  return { workload: { kind, namespace, name, uid }, ...extra };
}

/** The fields common to all events of one rollout. */
export function about(rollout: Rollout): Extra {
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
export function traced({ traceparent }: Rollout): { traceparent?: string } {
  return traceparent === undefined ? {} : { traceparent };
}

export function outboxEvent(
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

export function stalled(record: WorkloadRecord, rollout: Rollout, now: number): WorkloadRecord {
  const event = outboxEvent(record, stableId(rollout.id, "stalled"), "stalled", now, {
    ...about(rollout),
    reason: "Deadline",
    durationMs: Math.max(0, now - (rollout.startedAt ?? rollout.decidedAt)),
  });
  const { changes } = rollout;
  const stalledEvent = {
    ...event,
    ...traced(rollout),
    failedChanges: changes,
  };
  return {
    ...record,
    rollout: { ...rollout, stalled: true },
    outbox: [...record.outbox, stalledEvent],
  };
}

/** The record of a rollout that will not be made, with the reason. */
export function skipped(
  record: WorkloadRecord,
  reason: string,
  cause: Cause | undefined,
  now: number,
  id: string,
): WorkloadRecord {
  const extra = { reason, cause };
  const event = outboxEvent(record, stableId(id, "skipped"), "skipped", now, extra);
  return { ...record, outbox: [...record.outbox, event] };
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
