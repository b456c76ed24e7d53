import { DelayedError, Queue as BullQueue, UnrecoverableError, Worker } from "bullmq";
import type { Job } from "bullmq";
import { Redis } from "ioredis";
import { backoffDelay } from "./backoff.ts";
import type { Backoff } from "./backoff.ts";
import { RetryLater, TerminalError, toError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { mask } from "./mask.ts";

/**
 * BullMQ on Redis. The queues hold turns, never truth: whatever is in them can be made again from the records in NATS, so an empty Redis loses nothing.
 */
export type QueueOptions = {
  /** `redis://host:6379` or `rediss://host:6379`. */
  url: string;
  /** Name of the cluster: queues of two clusters in one Redis stay apart. */
  cluster: string;
  /** Name of the queue (`rollout-default`). */
  name: string;
  logger: Logger;
  /** Ends the wait for a Redis that is not there at the start. */
  signal?: AbortSignal;
};

export type AddOptions = {
  /** Jobs of one id are one job while it waits; while it runs, one more waits behind it. */
  id: string;
  /** Milliseconds before it may run, counted from the first add. */
  delayMs?: number;
  attempts?: number;
};

export type Queue<T> = AsyncDisposable & {
  /** Adds a job, or merges it into the waiting one of the same id. Fails at once while Redis is away. */
  add(data: T, options: AddOptions): Promise<void>;
  /** Like {@link Queue.add}, and a job of this id that waits for its next try after a failure runs now; one that was told {@link RetryLater} waits on. */
  addAndWake(data: T, options: AddOptions): Promise<void>;
  /** Jobs by state (`waiting`, `active`, `delayed`, ...). */
  counts(): Promise<Record<string, number>>;
  /** Why nothing can be added now, or undefined. */
  fault(): string | undefined;
  /** Calls `listener` after each reconnect to Redis, which may have come back empty. */
  onReconnect(listener: () => void): void;
};

export type WorkOptions<T> = QueueOptions & {
  concurrency: number;
  backoff: Backoff;
  /** At most `max` jobs begin within `periodMs`, over all workers of the queue. */
  rateLimit?: { max: number; periodMs: number };
  /**
   * Does one job. Returns: done. {@link RetryLater}: again after its delay, without using an attempt. {@link TerminalError}: given up.
   * Else: again with backoff until the attempts are used up. `lastAttempt` says that no other will follow.
   */
  process: (data: T, context: JobContext) => Promise<void>;
};

export type JobContext = {
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly lastAttempt: boolean;
  /** Lets no job of this queue begin for so many milliseconds, on any worker; only where the queue has a rate limit. */
  readonly hold: (ms: number) => Promise<void>;
};

export type Work = AsyncDisposable & {
  /** Milliseconds since the epoch when the worker last took or finished a job: long ago, with jobs that wait, it is stuck. */
  lastActive(): number;
  fault(): string | undefined;
};

const RECONNECT_MAX_MS = 2_000;
const LOCK_MS = 10_000;
/** When a disposal tells the jobs in hand to end, and when it goes on without them. */
const HAND_BACK_MS = 7_000;
const GIVE_UP_MS = 9_000;
const DEFAULT_ATTEMPTS = 5;

function prefix(cluster: string): string {
  // A hash tag, so that one queue's keys stay in one slot of a Redis Cluster.
  return `{rollcast-${cluster}}`;
}

type Client = { redis: Redis; fault: () => string | undefined };

async function connectRedis(options: QueueOptions, forWorker: boolean): Promise<Client> {
  const redis = new Redis(options.url, {
    lazyConnect: true,
    connectionName: `rollcast-${options.name}`,
    retryStrategy: (times) => Math.min(250 * times, RECONNECT_MAX_MS),
    connectTimeout: 5_000,
    maxRetriesPerRequest: forWorker ? null : 1,
    enableOfflineQueue: forWorker,
  });
  let last = "";
  redis.on("error", (err: Error) => {
    if (err.message !== last) options.logger.warn({ err, queue: options.name }, "redis error");
    last = err.message;
  });
  redis.on("ready", () => {
    last = "";
  });
  const ready = Promise.withResolvers<void>();
  const onEnd = () => ready.reject(new Error("redis connection ended before it was ready"));
  const onAbort = () => ready.reject(options.signal?.reason);
  redis.once("ready", ready.resolve).once("end", onEnd);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  else redis.connect().catch(() => undefined);
  try {
    await ready.promise;
  } catch (err) {
    redis.disconnect();
    throw err;
  } finally {
    redis.off("end", onEnd);
    options.signal?.removeEventListener("abort", onAbort);
  }
  return { redis, fault: () => (redis.status === "ready" ? undefined : "not connected") };
}

/** Opens a queue to add to; waits until Redis answers. */
export async function openQueue<T>(options: QueueOptions): Promise<Queue<T>> {
  const { redis, fault } = await connectRedis(options, false);
  const queue = new BullQueue(options.name, {
    connection: redis,
    prefix: prefix(options.cluster),
    skipMetasUpdate: true,
    defaultJobOptions: {
      removeOnComplete: true,
      removeOnFail: { age: 3_600, count: 1_000 },
      backoff: { type: "custom" },
      stackTraceLimit: 0,
    },
  });
  queue.on("error", (err) => options.logger.warn({ err, queue: options.name }, "queue error"));
  const add = (data: T, opts: AddOptions) =>
    queue.add("job", data, {
      attempts: opts.attempts ?? DEFAULT_ATTEMPTS,
      ...(opts.delayMs === undefined ? {} : { delay: opts.delayMs }),
      deduplication: { id: opts.id, keepLastIfActive: true },
    });
  return {
    async add(data, opts) {
      await add(data, opts);
    },
    async addAndWake(data, opts) {
      const job = await add(data, opts);
      if (job.id === undefined) return;
      // The returned job is the waiting one where this add was merged; in a backoff it would hold the newer change back.
      const waiting = await queue.getJob(job.id);
      if (waiting === undefined || waiting.attemptsMade === 0 || !(await waiting.isDelayed()))
        return;
      await waiting.promote().catch(() => undefined);
    },
    counts: () => queue.getJobCounts("waiting", "active", "delayed", "failed", "prioritized"),
    fault,
    onReconnect(listener) {
      // The first `ready` is behind us: each further one is a reconnect.
      redis.on("ready", () => {
        try {
          listener();
        } catch (err) {
          options.logger.error({ err, queue: options.name }, "reconnect listener failed");
        }
      });
    },
    async [Symbol.asyncDispose]() {
      await queue.close().catch(() => undefined);
      redis.disconnect();
    },
  };
}

async function processJob<T>(
  options: WorkOptions<T>,
  job: Job<T>,
  token: string | undefined,
  worker: { signal: AbortSignal; hold: JobContext["hold"] },
): Promise<void> {
  const { signal, hold } = worker;
  const attempts = job.opts.attempts ?? 1;
  const attempt = job.attemptsMade + 1;
  try {
    await options.process(job.data, { signal, hold, attempt, lastAttempt: attempt >= attempts });
  } catch (thrown) {
    const err = toError(thrown);
    // What it says lies in Redis for an hour.
    const message = mask(err.message);
    if (err instanceof TerminalError) throw new UnrecoverableError(message);
    // Whatever ends a job that was told to end, it is for another worker.
    const delayMs = err instanceof RetryLater ? err.delayMs : signal.aborted ? 0 : undefined;
    if (delayMs === undefined) throw new Error(message);
    await job.moveToDelayed(Date.now() + Math.max(0, delayMs), token);
    throw new DelayedError();
  }
}

async function closeWorker<T>(
  worker: Worker<T, void>,
  { logger, name }: QueueOptions,
): Promise<void> {
  const late = Promise.withResolvers<"late">();
  const timers = [
    // Without a reason of its own, so that what it ends is an AbortError.
    setTimeout(() => worker.cancelAllJobs(), HAND_BACK_MS),
    setTimeout(() => late.resolve("late"), GIVE_UP_MS),
  ];
  const closing = worker.close().catch((err: unknown) => {
    logger.warn({ err, queue: name }, "worker not closed well");
  });
  const ended = await Promise.race([closing, late.promise]);
  for (const timer of timers) clearTimeout(timer);
  if (ended !== "late") return;
  logger.warn({ queue: name }, "jobs left to be run again");
  await worker.disconnect().catch(() => undefined);
}

/**
 * Works on a queue until disposal, which stops the intake, waits for the jobs in hand, and hands back what is not done in time without using an attempt.
 */
export async function openWorker<T>(options: WorkOptions<T>): Promise<Work> {
  const { redis, fault } = await connectRedis(options, true);
  let active = Date.now();
  const touch = () => {
    active = Date.now();
  };
  const { rateLimit } = options;
  const hold = async (ms: number) => {
    if (rateLimit === undefined) throw new Error("a queue without a rate limit cannot be held");
    await worker.rateLimit(ms);
  };
  const worker: Worker<T, void> = new Worker<T, void>(
    options.name,
    async (job, token, signal) => {
      touch();
      const given = signal ?? new AbortController().signal;
      await processJob(options, job, token, { signal: given, hold });
    },
    {
      connection: redis,
      prefix: prefix(options.cluster),
      concurrency: options.concurrency,
      ...(rateLimit === undefined
        ? {}
        : { limiter: { max: rateLimit.max, duration: rateLimit.periodMs } }),
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS / 2,
      // A job whose worker was killed is simply run again: the records say what is still to do.
      maxStalledCount: 1_000,
      drainDelay: 5,
      settings: { backoffStrategy: (attempt) => backoffDelay(options.backoff, attempt) },
    },
  );
  worker.on("error", (err) => options.logger.warn({ err, queue: options.name }, "worker error"));
  worker.on("completed", touch).on("failed", touch);
  await worker.waitUntilReady();
  return {
    lastActive: () => active,
    fault: () => fault() ?? (worker.isRunning() ? undefined : "worker is not running"),
    async [Symbol.asyncDispose]() {
      await closeWorker(worker, options);
      redis.disconnect();
    },
  };
}
