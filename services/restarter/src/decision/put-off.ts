import { contentsHash } from "./contents.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";

/**
 * Whether recreating the deleted Job must wait, because the API server refused it with this
 * content.
 */
export function isBackingOff({ failure, recreate }: WorkloadRecord, now: number): boolean {
  if (failure === undefined || recreate === undefined) return false;
  return failure.wanted === contentsHash(recreate.rollout.wanted) && failure.retryAt > now;
}
