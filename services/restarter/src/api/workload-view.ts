import type { WorkloadState, WorkloadSummary } from "@rollcast/shared/api/workload-views";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { isoTime } from "./view.ts";

/** The states of a record; see `STATES`. */
export function statesOf(record: WorkloadRecord): WorkloadState[] {
  const { due, phase } = record;
  const states: WorkloadState[] = [];
  if (record.staleSince !== undefined) states.push("stale");
  if (phase === "rolling" || phase === "pending") states.push("rolling");
  if (phase === "failed" || record.failure !== undefined) states.push("failed");
  if (record.throttle !== undefined) states.push("throttled");
  if (due?.reason === "Halted") states.push("halted");
  else if (due?.reason === "Frozen") states.push("frozen");
  else if (due !== undefined || record.hold !== undefined) states.push("waiting");
  return states.length === 0 ? ["current"] : states;
}

function rolloutView({ rollout, phase }: WorkloadRecord): Pick<WorkloadSummary, "rollout"> {
  if (rollout === undefined || (phase !== "rolling" && phase !== "pending")) return {};
  const { id, startedAt, deadline, stalled, cause } = rollout;
  return {
    rollout: {
      id,
      startedAt: isoTime(startedAt),
      deadline: isoTime(deadline),
      stalled: stalled === true,
      cause,
    },
  };
}

/** A record as the API returns it. */
export function summaryOf(record: WorkloadRecord, queue: string): WorkloadSummary {
  const { kind, namespace, name, staleSince, failure, last, hold } = record;
  const due = record.due ?? (hold === undefined ? undefined : { reason: hold });
  return {
    kind,
    namespace,
    name,
    queue,
    states: statesOf(record),
    staleSince: isoTime(staleSince),
    due:
      due === undefined
        ? undefined
        : {
            reason: due.reason,
            at: "at" in due ? isoTime(due.at) : undefined,
          },
    ...rolloutView(record),
    failure:
      failure === undefined
        ? undefined
        : {
            reason: failure.reason,
            message: failure.message,
            attempts: failure.attempts,
            retryAt: isoTime(failure.retryAt),
          },
    last:
      last === undefined
        ? undefined
        : { outcome: last.outcome, reason: last.reason, at: isoTime(last.time) },
  };
}
