import type { WorkloadRecord } from "../model/workload-record.ts";

const KEPT = 8;

/** A requested rollout; its id makes repeated requests idempotent. */
type RolloutRequest = { readonly id: string; readonly by: string; readonly at: number };

/** The oldest open request. */
export function openRequest(record: WorkloadRecord): RolloutRequest | undefined {
  return record.requests?.find(({ done }) => !done);
}

/**
 * The record with the request added, to be tried now despite earlier failures; undefined if this
 * request was already recorded.
 */
export function withRequest(
  record: WorkloadRecord,
  request: RolloutRequest,
): WorkloadRecord | undefined {
  const before = record.requests ?? [];
  if (before.some(({ id }) => id === request.id)) return undefined;
  const { failure, ...rest } = record;
  return {
    ...rest,
    failure: failure === undefined ? undefined : { ...failure, retryAt: request.at },
    requests: [...before, { ...request, done: false }].slice(-KEPT),
  };
}

/** The record after a rollout began: it fulfils every open request. */
export function withRequestsDone(record: WorkloadRecord): Pick<WorkloadRecord, "requests"> {
  if (record.requests === undefined) return {};
  return { requests: record.requests.map((request) => ({ ...request, done: true })) };
}
