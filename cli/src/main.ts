#!/usr/bin/env node
import process from "node:process";
import { CommanderError } from "commander";
import { EXIT, CliError } from "./cli-error.ts";
import { createProgram } from "./program.ts";
import { clean } from "./output/table.ts";

function printError(message: string, hint?: string): void {
  process.stderr.write(`rollcast: ${message.split("\n").map(clean).join("\n")}\n`);
  if (hint !== undefined) process.stderr.write(`  ${clean(hint)}\n`);
}

// The reader may close the pipe: rollcast events tail | head.
process.stdout.on("error", (err: NodeJS.ErrnoException) => {
  process.exit(err.code === "EPIPE" ? EXIT.done : EXIT.refused);
});

try {
  await using opened = new AsyncDisposableStack();
  await createProgram(opened).parseAsync();
} catch (err) {
  if (err instanceof CommanderError) {
    if (err.exitCode !== 0) printError(err.message.replace(/^error: /, ""), "see rollcast --help");
    process.exitCode = err.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else if (err instanceof CliError) {
    printError(err.message, err.hint);
    process.exitCode = err.exitCode;
  } else {
    printError(err instanceof Error ? err.message : String(err));
    process.exitCode = EXIT.refused;
  }
}
