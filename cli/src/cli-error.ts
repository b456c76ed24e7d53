/** Exit codes of `rollcast`, documented in docs/cli.md. */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3, findings: 4 } as const;

/** A command failed: what is wrong, what to do about it, and the exit code. */
export class CliError extends Error {
  override name = "CliError";
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(exitCode: number, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}
