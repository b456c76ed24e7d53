/** Exit codes of `rollcast`; docs/cli.md tells them. */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3, findings: 4 } as const;

/** A command cannot go on: what is wrong, what to do about it, and with which code the process ends. */
export class CliError extends Error {
  override name = "Failure";
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(exitCode: number, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}
