import { backoffDelay } from "@rollcast/async/backoff";
import type { Backoff } from "@rollcast/async/backoff";
import { createInFlight } from "@rollcast/async/in-flight";
import { mask } from "@rollcast/runtime/mask";
import { DelayedError, UnrecoverableError, Worker } from "bullmq";
import type { Job } from "bullmq";
import { RetryLaterError, TerminalError, toError } from "@rollcast/shared/errors";
import { connectRedis, prefix } from "./redis.ts";
import type { QueueOptions } from "./redis.ts";

export type WorkOptions<T> = QueueOptions & {
  concurrency: number;
  backoff: Backoff;
  /** At most `max` jobs begin within `periodMs`, over all workers of the queue. */
  rateLimit?: { max: number; periodMs: number };
  /**
   * Does one job. Returns: done. {@link RetryLaterError}: again after its delay, without using an
   * attempt. {@link TerminalError}: given up. Else: again with backoff until the attempts are used
   * up, after the error's `retryAfterMs` where that is longer. `lastAttempt` says that no other
   * will follow.
   */
  process: (data: T, context: JobContext) => Promise<void>;
};

export type Work = AsyncDisposable & {
  /** When a job was last taken or finished (epoch ms): long ago while jobs wait means stuck. */
  lastActive(): number;
  /** For how many milliseconds the oldest job in flight has been so; 0 where none is. */
  inFlightMs(): number;
  fault(): string | undefined;
  /** Takes so many jobs at once from now on. */
  setConcurrency(concurrency: number): void;
};

const LOCK_MS = 10_000;
/** When a disposal asks the jobs in flight to end, and when it goes on without them. */
const HAND_BACK_MS = 7_000;
const GIVE_UP_MS = 9_000;

/** Tells of a worker's errors, each once while it lasts, and remembers what Redis refuses. */
function watchErrors({ logger, name: queue }: QueueOptions) {
  let last:
    | { readonly message: string; readonly at: number; readonly refused: boolean }
    | undefined;
  const recent = () => (last !== undefined && Date.now() - last.at < REFUSED_MS ? last : undefined);
  return {
    onError(err: Error) {
      if (recent()?.message !== err.message) logger.warn({ err, queue }, "worker error");
      last = { message: err.message, at: Date.now(), refused: err.name === "ReplyError" };
    },
    /** What Redis answers a worker that may not do its work, e.g. for want of rights. */
    refusal(): string | undefined {
      const now = recent();
      return now?.refused === true ? `refused: ${mask(now.message)}` : undefined;
    },
  };
}

type Closing = {
  readonly fault: () => string | undefined;
  readonly inFlight: ReadonlySet<Promise<void>>;
} & QueueOptions;

/** Stops the intake and waits for running jobs; without Redis, not for handing them back. */
async function closeWorker<T>(worker: Worker<T, void>, options: Closing): Promise<void> {
  const { logger, name: queue, fault, inFlight } = options;
  const late = Promise.withResolvers<"late">();
  const timers = [
    // Without a reason of its own, so that what it ends is an AbortError.
    setTimeout(() => worker.cancelAllJobs(), HAND_BACK_MS),
    setTimeout(() => late.resolve("late"), GIVE_UP_MS),
  ];
  const away = fault() !== undefined;
  if (away) await worker.pause(true);
  const ending = away ? Promise.allSettled(inFlight) : worker.close();
  const ended = await Promise.race([ending, late.promise]);
  for (const timer of timers) clearTimeout(timer);
  // Only a close by force does not wait for a connection's end, which may never come.
  if (away) await worker.close(true);
  if (ended !== "late") return;
  logger.warn({ queue, jobs: inFlight.size }, "jobs left to be run again");
  worker.disconnect().catch(() => undefined);
}

/**
 * Works on a queue until disposal, which stops the intake, waits for the jobs in flight, and hands
 * back what is not done in time without using an attempt.
 */
export async function openWorker<T>(options: WorkOptions<T>): Promise<Work> {
  const { redis, fault } = await connectRedis(options, true);
  let active = Date.now();
  const touch = () => {
    active = Date.now();
  };
  const inFlight = new Set<Promise<void>>();
  const ages = createInFlight();
  const { rateLimit } = options;
  const pause = async (ms: number) => {
    if (rateLimit === undefined) throw new Error("a queue without a rate limit cannot be paused");
    await worker.rateLimit(ms);
  };
  const worker: Worker<T, void> = new Worker<T, void>(
    options.name,
    async (job, token, signal) => {
      touch();
      const given = signal ?? new AbortController().signal;
      const running = processJob(options, job, token, { signal: given, pause });
      inFlight.add(running);
      const end = ages.begin();
      await running.finally(() => {
        end();
        inFlight.delete(running);
      });
    },
    {
      connection: redis,
      prefix: prefix(options.cluster),
      concurrency: options.concurrency,
      limiter:
        rateLimit === undefined ? undefined : { max: rateLimit.max, duration: rateLimit.periodMs },
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS / 2,
      // A job whose worker was killed is simply run again: the records say what is still to do.
      maxStalledCount: 1_000,
      drainDelay: 5,
      // A rate limit that is lifted is noticed within it.
      maximumRateLimitDelay: 500,
      settings: {
        backoffStrategy: (attempt, _type, err) =>
          Math.max(backoffDelay(options.backoff, attempt), retryAfterMs(err?.cause)),
      },
    },
  );
  const errors = watchErrors(options);
  worker.on("error", errors.onError);
  worker.on("completed", touch).on("failed", touch);
  await worker.waitUntilReady();
  return {
    lastActive: () => active,
    inFlightMs: ages.oldestMs,
    fault: () => fault() ?? (worker.isRunning() ? errors.refusal() : "worker is not running"),
    setConcurrency(concurrency) {
      worker.concurrency = concurrency;
    },
    async [Symbol.asyncDispose]() {
      await closeWorker(worker, { ...options, fault, inFlight }).catch((err: unknown) => {
        options.logger.warn({ err, queue: options.name }, "worker not closed well");
      });
      redis.disconnect();
    },
  };
}

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

/** How long an error asks to wait, in milliseconds; 0 where it does not. */
function retryAfterMs(err: unknown): number {
  if (!(err instanceof Error) || !("retryAfterMs" in err)) return 0;
  return typeof err.retryAfterMs === "number" ? err.retryAfterMs : 0;
}

/**
 * For how long an error of the worker is a fault. It tries again at once, so one that lasts is
 * never older.
 */
const REFUSED_MS = 5_000;

async function processJob<T>(
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
    if (delayMs === undefined) throw new Error(message, { cause: err });
    await job.moveToDelayed(Date.now() + Math.max(0, delayMs), token);
    throw new DelayedError();
  }
}
