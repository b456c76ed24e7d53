/** The requested operation is not possible; the message is for people. */
export class OperationError extends Error {
  override name = "OperationError";
  readonly reason: "NotFound" | "Invalid";

  constructor(reason: "NotFound" | "Invalid", message: string) {
    super(message);
    this.reason = reason;
  }
}
