/** The points between two side effects where a test may kill the process. */
export const FAILPOINTS = [
  "event-joined",
  "group-sealed",
  "notification-written",
  "group-emptied",
  "job-added",
  "posted",
  "answered",
  "outcome-written",
  "outcome-published",
  "record-removed",
  "letter-requeued",
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];
