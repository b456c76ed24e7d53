import type { Facts } from "../oracle/facts.ts";

/** Whether a Job was skipped as suspended after it had been resumed. */
export function isSkippedAfterResume({ events, workload, writes }: Facts): boolean {
  const skipped = events.findLast(({ event }) => event.data.reason === "Suspended");
  const before = writes.findLast(({ i }) => i < (skipped?.i ?? 0));
  return workload?.kind === "Job" && before !== undefined && before.object.spec?.suspend !== true;
}
