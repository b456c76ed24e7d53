import { contentsHash } from "../model/content.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";

/**
 * Whether recreating the deleted Job must wait, because the API server refused it with this
 * content.
 */
export function isBackingOff({ failure, recreate }: WorkloadRecord, now: number): boolean {
  if (failure === undefined || recreate === undefined) return false;
  return failure.wanted === contentsHash(recreate.rollout.wanted) && failure.retryAt > now;
}

/**
 * How much is left (milliseconds) of the window that began at `since`; nothing where that is
 * unknown. A change discovered before its event is handled must not roll early, or a source that
 * never stops changing would roll more than once per window. Never more than the window, even if
 * the clocks of two machines differ.
 */
export function restOfWindow(windowMs: number, since: number | undefined, now: number): number {
  return since === undefined ? 0 : Math.min(windowMs, Math.max(0, since + windowMs - now));
}
