import { contentsHash } from "./contents.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";

/** Whether the Job that was deleted is not to be made again yet, since the API server has refused it with this content. */
export function isBackingOff({ failure, recreate }: WorkloadRecord, now: number): boolean {
  if (failure === undefined || recreate === undefined) return false;
  return failure.wanted === contentsHash(recreate.rollout.wanted) && failure.retryAt > now;
}
