/** What was asked for cannot be done; the message is for people. */
export class OperationError extends Error {
  override name = "OperationError";
  readonly reason: "not-found" | "invalid";

  constructor(reason: "not-found" | "invalid", message: string) {
    super(message);
    this.reason = reason;
  }
}
