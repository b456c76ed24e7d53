/** A point between two side effects at which a test may kill this process. */
export type Failpoint =
  | "record-read"
  | "quota-reserved"
  | "pending-written"
  | "patched"
  | "manifest-written"
  | "deleted"
  | "created"
  | "started-published"
  | "rolling-written"
  | "end-written"
  | "end-published"
  | "operation-written"
  | "operation-published";
