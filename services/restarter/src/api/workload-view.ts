import type { WorkloadState, WorkloadSummary } from "@rollcast/shared/api/workload-views";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { isoTime } from "./view.ts";

/** What is true of the workload of a record; see `STATES`. */
export function statesOf(record: WorkloadRecord): WorkloadState[] {
  const { due, phase } = record;
  const found: WorkloadState[] = [];
  if (record.staleSince !== undefined) found.push("stale");
  if (phase === "rolling" || phase === "pending") found.push("rolling");
  if (phase === "failed" || record.failure !== undefined) found.push("failed");
  if (record.throttle !== undefined) found.push("throttled");
  if (due?.reason === "Halted") found.push("halted");
  else if (due?.reason === "Frozen") found.push("frozen");
  else if (due !== undefined || record.hold !== undefined) found.push("waiting");
  return found.length === 0 ? ["current"] : found;
}

function rolloutView({ rollout, phase }: WorkloadRecord): Pick<WorkloadSummary, "rollout"> {
  if (rollout === undefined || (phase !== "rolling" && phase !== "pending")) return {};
  const { id, startedAt, deadline, stalled, cause } = rollout;
  return {
    rollout: {
      id,
      ...(startedAt === undefined ? {} : { startedAt: isoTime(startedAt) }),
      ...(deadline === undefined ? {} : { deadline: isoTime(deadline) }),
      stalled: stalled === true,
      ...(cause === undefined ? {} : { cause }),
    },
  };
}

/** A record as the API shows it. */
export function summaryOf(record: WorkloadRecord, queue: string): WorkloadSummary {
  const { kind, namespace, name, staleSince, failure, last, hold } = record;
  const due = record.due ?? (hold === undefined ? undefined : { reason: hold });
  return {
    kind,
    namespace,
    name,
    queue,
    states: statesOf(record),
    ...(staleSince === undefined ? {} : { staleSince: isoTime(staleSince) }),
    ...(due === undefined
      ? {}
      : {
          due: {
            reason: due.reason,
            ...(!("at" in due) || due.at === undefined ? {} : { at: isoTime(due.at) }),
          },
        }),
    ...rolloutView(record),
    ...(failure === undefined
      ? {}
      : {
          failure: {
            reason: failure.reason,
            message: failure.message,
            tries: failure.tries,
            retryAt: isoTime(failure.retryAt),
          },
        }),
    ...(last === undefined
      ? {}
      : { last: { outcome: last.outcome, reason: last.reason, at: isoTime(last.time) } }),
  };
}
