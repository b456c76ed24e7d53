import { once } from "node:events";
import process from "node:process";
import { isAborted } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** Opens what the service needs, pushing each on `stack`; `signal` fires when it must stop. */
export type Start = (stack: AsyncDisposableStack, signal: AbortSignal) => Promise<void>;

/**
 * Runs a service until SIGTERM or SIGINT, then disposes what `start` opened, newest first; also when `start` itself fails.
 * Exit code 0 after a signal, 1 after an error. A second signal, or `graceMs` (milliseconds) without an end, exits at once with 1.
 */
export async function run(logger: Logger, start: Start, graceMs = 25_000): Promise<void> {
  const abort = new AbortController();
  const stop = (name: string) => {
    if (abort.signal.aborted) process.exit(1);
    logger.info({ signal: name }, "stopping");
    setTimeout(() => {
      logger.fatal({ graceMs }, "not stopped within the grace period");
      process.exit(1);
    }, graceMs).unref();
    abort.abort();
  };
  const onTerm = () => stop("SIGTERM");
  const onInt = () => stop("SIGINT");
  process.on("SIGTERM", onTerm).on("SIGINT", onInt);
  try {
    await using stack = new AsyncDisposableStack();
    stack.defer(() => {
      process.exitCode ??= 0;
    });
    await start(stack, abort.signal);
    if (!abort.signal.aborted) await once(abort.signal, "abort");
  } catch (err) {
    if (!(abort.signal.aborted && isAborted(err))) {
      logger.fatal({ err }, "stopped by an error");
      process.exitCode = 1;
    }
  }
  process.off("SIGTERM", onTerm).off("SIGINT", onInt);
  logger.info({ exitCode: process.exitCode ?? 0 }, "stopped");
  // Everything is disposed: whatever still holds the event loop is a leak that must not keep a pod from ending.
  setTimeout(() => process.exit(process.exitCode ?? 0), 1_000).unref();
}
