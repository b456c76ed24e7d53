/** What was asked for cannot be done; the message is for people. */
export class OperationError extends Error {
  override name = "OperationError";
  readonly reason: "NotFound" | "Invalid";

  constructor(reason: "NotFound" | "Invalid", message: string) {
    super(message);
    this.reason = reason;
  }
}
