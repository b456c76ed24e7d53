import { retry } from "@rollcast/async/retry";
import { TerminalError, isAborted } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/runtime/logger";

const BACKOFF = { initial: 100, max: 5_000 };

/**
 * Repeats a read or write of a bucket through network faults of NATS until it succeeds. Throws when
 * `signal` fires or repeating cannot help.
 */
export function retryKv<R>(
  work: () => Promise<R>,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<R> {
  return retry(work, {
    backoff: BACKOFF,
    signal,
    onFailure(err, attempt) {
      if (err instanceof TerminalError || isAborted(err)) throw err;
      logger.warn({ err, attempt }, "bucket not reachable, retrying");
    },
  });
}
