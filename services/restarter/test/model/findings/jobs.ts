import type { Facts } from "../oracle/facts.ts";

/** Whether a Job was skipped as suspended after it had been resumed. */
export function isSkippedAfterResume({ events, workload, writes }: Facts): boolean {
  const skipped = events.findLast(({ event }) => event.data.reason === "Suspended");
  const before = writes.findLast(({ i }) => i < (skipped?.i ?? 0));
  return workload?.kind === "Job" && before !== undefined && before.object.spec?.suspend !== true;
}

/** Whether a Job was suspended and skipped, and resumed with no pod but those of before. */
export function isResumedWithItsPods({ events, pods, workload, writes }: Facts): boolean {
  const skipped = events.findLast(({ event }) => event.data.reason === "Suspended")?.i ?? 0;
  const before = writes.findLast(({ i }) => i < skipped);
  const resumed = writes.find(({ i, object }) => i > skipped && object.spec?.suspend !== true);
  if (workload?.kind !== "Job" || before?.object.spec?.suspend !== true) return false;
  const own = pods.filter(({ owner }) => owner === workload.metadata.uid);
  return resumed !== undefined && own.length > 0 && own.every(({ from }) => from < before.i);
}
