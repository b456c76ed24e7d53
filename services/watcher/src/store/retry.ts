import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "@rollcast/async/backoff";
import { TerminalError, isAborted } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/runtime/logger";

/**
 * Retries `work` through network faults of NATS until it succeeds. Throws when `signal` fires or
 * retrying cannot help.
 */
export async function retry<R>(
  work: () => Promise<R>,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<R> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (err) {
      if (err instanceof TerminalError || isAborted(err)) throw err;
      logger.warn({ err, attempt }, "bucket not reachable, retrying");
      await sleep(backoffDelay({ initial: 100, max: 5_000 }, attempt), undefined, { signal });
    }
  }
}
