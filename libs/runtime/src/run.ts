import { once } from "node:events";
import process from "node:process";
import { ConfigError, isAborted } from "@rollcast/shared/errors";
import type { Logger } from "./logger.ts";

/** Opens what the service needs, pushing each on `stack`; `signal` fires when it must stop. */
export type Start = (stack: AsyncDisposableStack, signal: AbortSignal) => Promise<void>;

/** What a start that does not notice the signal gets, before what it has opened is disposed. */
const START_END_MS = 3_000;
const LEAK_MS = 1_000;

/**
 * Waits for `starting`, but after `signal` has fired only for {@link START_END_MS}: a start may
 * wait for a server that never comes.
 */
async function whileWanted(starting: Promise<void>, signal: AbortSignal): Promise<void> {
  const late = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(late.resolve, START_END_MS);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([starting, late.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    clearTimeout(timer);
  }
}

/**
 * Turns signals into `abort`; a second one, or `graceMs` without an end, or an error that nobody
 * caught ends the process with 1.
 */
function listen(logger: Logger, abort: AbortController, graceMs: number): Disposable {
  let grace: NodeJS.Timeout | undefined;
  const stop = (signal: NodeJS.Signals) => {
    if (abort.signal.aborted) process.exit(1);
    logger.info({ signal }, "stopping");
    grace = setTimeout(() => {
      logger.fatal({ graceMs }, "not stopped within the grace period");
      process.exit(1);
    }, graceMs);
    abort.abort();
  };
  const crash = (err: unknown) => {
    logger.fatal({ err }, "crashed");
    process.exit(1);
  };
  process.on("SIGTERM", stop).on("SIGINT", stop).on("uncaughtException", crash);
  // Signal handlers do not hold the event loop: without this, a service that only waits would end.
  const hold = setInterval(() => undefined, 60_000);
  return {
    [Symbol.dispose]() {
      clearInterval(hold);
      clearTimeout(grace);
      process.off("SIGTERM", stop).off("SIGINT", stop).off("uncaughtException", crash);
    },
  };
}

/**
 * Logs what ended the process. Of a configuration with several faults each gets a line of its own:
 * in one, people cannot read them.
 */
function logEnd(logger: Logger, err: unknown): void {
  const lines = err instanceof ConfigError ? err.message.split("\n") : [];
  if (lines.length > 1) {
    for (const line of lines) logger.error({ fault: line.trim() }, "configuration fault");
  }
  logger.fatal({ err }, "stopped by an error");
}

/**
 * Runs a service until SIGTERM or SIGINT, then disposes what `start` opened, newest first; also
 * when `start` itself fails. Exit code 0 after a signal, 1 after an error. A second signal, or
 * `graceMs` (milliseconds) without an end, exits at once with 1.
 */
export async function run(logger: Logger, start: Start, graceMs = 25_000): Promise<void> {
  const abort = new AbortController();
  using _listening = listen(logger, abort, graceMs);
  let exitCode = 0;
  try {
    await using stack = new AsyncDisposableStack();
    await whileWanted(start(stack, abort.signal), abort.signal);
    if (!abort.signal.aborted) await once(abort.signal, "abort");
  } catch (err) {
    if (!(abort.signal.aborted && isAborted(err))) {
      logEnd(logger, err);
      exitCode = 1;
    }
  }
  process.exitCode = exitCode;
  logger.info({ exitCode }, "stopped");
  // Everything is disposed: whatever still holds the event loop is a leak that must not keep a pod
  // from ending.
  setTimeout(() => process.exit(), LEAK_MS).unref();
}

/**
 * Runs `work` to its end, or until SIGTERM or SIGINT fires its signal. Exit code 0 where it was
 * done, 1 where not.
 */
export async function runOnce(
  logger: Logger,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  using _listening = listen(logger, abort, START_END_MS);
  process.exitCode = 1;
  try {
    await work(abort.signal);
    process.exitCode = 0;
  } catch (err) {
    if (!(abort.signal.aborted && isAborted(err))) logEnd(logger, err);
  }
  setTimeout(() => process.exit(), LEAK_MS).unref();
}
