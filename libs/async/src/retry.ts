import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "./backoff.ts";
import type { Backoff } from "./backoff.ts";

export type RetryOptions = {
  readonly backoff: Backoff;
  /** Ends the retries, also while they wait; none: they end with the work's success alone. */
  readonly signal?: AbortSignal;
  /**
   * Told of each failure before the wait, with its number (1 = the first); what it returns is
   * waited instead of the backoff (milliseconds), as what a server's `Retry-After` asks for. An
   * error that does not pass is thrown from here, and thrown on.
   */
  readonly onFailure: (err: unknown, attempt: number) => number | void;
};

/**
 * Repeats `work` with backoff until it succeeds. Throws what `onFailure` throws, and the reason of
 * `signal` once it has fired, whatever the work threw meanwhile.
 */
export async function retry<T>(
  work: () => Promise<T>,
  { backoff, signal, onFailure }: RetryOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    let delay: number;
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (err) {
      signal?.throwIfAborted();
      delay = onFailure(err, attempt) ?? backoffDelay(backoff, attempt);
    }
    await sleep(delay, undefined, { signal }).catch((err: unknown) => {
      signal?.throwIfAborted();
      throw err;
    });
  }
}
