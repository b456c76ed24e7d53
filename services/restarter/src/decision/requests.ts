import type { WorkloadRecord } from "../model/workload-record.ts";

const KEPT = 8;

/** A rollout that somebody asks for, under an id that makes a repeated request the same. */
export type RolloutRequest = { readonly id: string; readonly by: string; readonly at: number };

/** The request that waits to be carried out, the oldest first. */
export function openRequest(record: WorkloadRecord): RolloutRequest | undefined {
  return record.requests?.find(({ done }) => !done);
}

/** The record with the request noted, to be tried now whatever failed before; undefined where this very request was taken before. */
export function withRequest(
  record: WorkloadRecord,
  request: RolloutRequest,
): WorkloadRecord | undefined {
  const before = record.requests ?? [];
  if (before.some(({ id }) => id === request.id)) return undefined;
  const { failure, ...rest } = record;
  return {
    ...rest,
    ...(failure === undefined ? {} : { failure: { ...failure, retryAt: request.at } }),
    requests: [...before, { ...request, done: false }].slice(-KEPT),
  };
}

/** The record after a rollout began: it answers every request that was open. */
export function withRequestsDone(record: WorkloadRecord): Pick<WorkloadRecord, "requests"> {
  if (record.requests === undefined) return {};
  return { requests: record.requests.map((one) => ({ ...one, done: true })) };
}
