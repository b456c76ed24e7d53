import { stableId } from "@rollcast/shared/events";
import { started } from "./outcomes.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { DecisionInput } from "./decision.ts";
import { throttleAfterStart } from "./blocking-gate.ts";
import { withRequestsDone } from "./requested.ts";

/** Adopts a patch whose author crashed before recording it. */
export function adoptPatched(s: DecisionInput, record: WorkloadRecord): WorkloadRecord {
  const { rollout } = record;
  if (record.phase !== "pending" || rollout === undefined) return record;
  const patched = s.workload.generation > rollout.guard && s.workload.marker === rollout.marker;
  if (!patched) return record;
  const next = patchedRecord(s, record, rollout, s.workload.generation);
  return { ...next, outbox: [...next.outbox, started(next, next.rollout ?? rollout)] };
}

/**
 * The rollout that recreates a Job; after a refused attempt that was reported as failed, it has its
 * own id.
 */
export function recreation(
  record: WorkloadRecord & { recreate: NonNullable<WorkloadRecord["recreate"]> },
): Rollout {
  const { rollout } = record.recreate;
  const attempts = record.failure?.attempts;
  return attempts === undefined
    ? rollout
    : { ...rollout, id: stableId(rollout.id, String(attempts)) };
}

/**
 * The record of a Job that we deleted, continued for the Job that replaces it: our rollout's id
 * identifies it, under another uid.
 */
export function recreatedBefore(s: DecisionInput): WorkloadRecord | undefined {
  const { record, workload } = s;
  const { recreate } = record ?? {};
  if (record === undefined || recreate === undefined) return undefined;
  if (workload.madeBy !== recreate.rollout.id) return undefined;
  const next = recreatedRecord(s, { ...record, recreate });
  return next.rollout === undefined
    ? next
    : { ...next, outbox: [...next.outbox, started(next, next.rollout)] };
}

/** The record after a Job was recreated: `s.workload` is the new one. */
export function recreatedRecord(
  s: Pick<DecisionInput, "workload" | "now" | "breaker" | "stalledAfterMs">,
  record: WorkloadRecord & { recreate: NonNullable<WorkloadRecord["recreate"]> },
): WorkloadRecord {
  const { uid, templateHash, generation } = s.workload;
  const rollout = { ...recreation(record), templateHash };
  return patchedRecord(s, { ...record, uid }, rollout, generation);
}

/** The record after the rollout's patch gave the workload `generation`. */
export function patchedRecord(
  s: Pick<DecisionInput, "workload" | "now" | "breaker" | "stalledAfterMs">,
  record: WorkloadRecord,
  rollout: Rollout,
  generation: number,
): WorkloadRecord {
  const {
    due: _due,
    failure: _failure,
    throttle: _throttle,
    staleSince: _staleSince,
    hold: _hold,
    recreate: _recreate,
    ...rest
  } = record;
  const stallTimeout = s.workload.deadlineMs ?? s.stalledAfterMs;
  return {
    ...rest,
    ...throttleAfterStart(record, s.breaker, s.now),
    ...withRequestsDone(record),
    phase: "rolling",
    running: rollout.wanted,
    generation,
    templateHash: rollout.templateHash,
    marks: s.workload.marks.reloader,
    rollout: {
      ...rollout,
      generation,
      startedAt: s.now,
      stallTimeout,
      ...(s.workload.paused ? {} : { deadline: s.now + stallTimeout }),
    },
  };
}
