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

/** Whether a Job is made again after one that its owner deleted before a record had its uid. */
export function isMadeJobDeleted({ history, writes }: Facts, place: number): boolean {
  const made = writes.findLast(
    ({ before, by, i, object }) =>
      i < place &&
      by === "rollcast" &&
      object.kind === "Job" &&
      before?.metadata.uid !== object.metadata.uid,
  );
  const uid = made?.object.metadata.uid;
  if (made === undefined || uid === undefined) return false;
  const between = history.slice(made.i, place);
  const isRecorded = between.some((entry) => entry.type === "record" && entry.record?.uid === uid);
  const isDeletedByOwner = writes.some(
    ({ by, deleted, i, object }) =>
      made.i < i &&
      i < place &&
      object.metadata.uid === uid &&
      by !== "rollcast" &&
      (deleted || object.metadata.deletionTimestamp !== undefined),
  );
  return !isRecorded && isDeletedByOwner;
}
