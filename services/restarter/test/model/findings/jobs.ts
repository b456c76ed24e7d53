import type { Facts } from "../oracle/facts.ts";

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
