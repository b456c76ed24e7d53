import { RetryLaterError, TerminalError, toError } from "@rollcast/shared/errors";
import { mask } from "@rollcast/runtime/mask";
import { DelayedError, UnrecoverableError } from "bullmq";
import type { Job } from "bullmq";
import type { WorkOptions } from "./worker.ts";

export type JobContext = {
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly lastAttempt: boolean;
  /**
   * Lets no job of this queue begin for so many milliseconds, on any worker; only where the queue
   * has a rate limit.
   */
  readonly pause: (ms: number) => Promise<void>;
};

/**
 * For how long an error of the worker is a fault. It tries again at once, so one that lasts is
 * never older.
 */
export const REFUSED_MS = 5_000;

export async function processJob<T>(
  options: WorkOptions<T>,
  job: Job<T>,
  token: string | undefined,
  worker: { signal: AbortSignal; pause: JobContext["pause"] },
): Promise<void> {
  const { signal, pause } = worker;
  const attempts = job.opts.attempts ?? 1;
  const attempt = job.attemptsMade + 1;
  try {
    await options.process(job.data, { signal, pause, attempt, lastAttempt: attempt >= attempts });
  } catch (thrown) {
    const err = toError(thrown);
    // What it says lies in Redis for an hour.
    const message = mask(err.message);
    if (err instanceof TerminalError) throw new UnrecoverableError(message);
    // Whatever ends a job that was asked to end, it is for another worker.
    const delayMs = err instanceof RetryLaterError ? err.delayMs : signal.aborted ? 0 : undefined;
    if (delayMs === undefined) throw new Error(message);
    await job.moveToDelayed(Date.now() + Math.max(0, delayMs), token);
    throw new DelayedError();
  }
}
