/**
 * A failure that another attempt cannot mend: the message or job is given up at once, with its
 * reason. `reason` is one CamelCase word (`Malformed`, `Forbidden`); the message is for people.
 */
export class TerminalError extends Error {
  override name = "TerminalError";
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Not now: try again after `delayMs` milliseconds, without counting this as a failed attempt. */
export class RetryLaterError extends Error {
  override name = "RetryLaterError";
  readonly delayMs: number;

  constructor(delayMs: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.delayMs = delayMs;
  }
}

/** The configuration is refused; the message names every fault with its path. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** Whether `err` only says that an AbortSignal fired. */
export function isAborted(err: unknown): boolean {
  return (
    err instanceof Error &&
    (err.name === "AbortError" || (err.name === "TimeoutError" && "code" in err && err.code === 23))
  );
}

/** Whatever was thrown, as an Error. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const text =
    typeof thrown === "object" ? "something that is no error was thrown" : String(thrown);
  return new Error(text, { cause: thrown });
}
