import { toError } from "@rollcast/shared/errors";
import { ANSWER_MS, withDeadline } from "@rollcast/async/deadline";
import { retry } from "@rollcast/async/retry";
import { Queue as BullQueue } from "bullmq";
import type { Redis } from "ioredis";
import { createLimits } from "./limits.ts";
import type { WorkerLimits } from "./limits.ts";
import { connectRedis, prefix } from "./redis.ts";
import type { QueueOptions } from "./redis.ts";

export type AddOptions = {
  /** Jobs of one id are one job while it waits; while it runs, one more waits behind it. */
  id: string;
  /** Milliseconds before it may run, counted from the first add. */
  delayMs?: number;
  attempts?: number;
};

export type JobQueue<T> = AsyncDisposable & {
  /** Adds a job, or merges it into the waiting one of its id. Fails at once without Redis. */
  add(data: T, options: AddOptions): Promise<void>;
  /**
   * Like {@link Queue.add}, and a job of this id that waits for its next attempt after a failure
   * runs now; one that threw {@link RetryLaterError} waits on.
   */
  addAndWake(data: T, options: AddOptions): Promise<void>;
  /** Jobs by state (`waiting`, `active`, `delayed`, ...). */
  counts(): Promise<Record<string, number>>;
  /** For how many milliseconds the job that is next could have run already; 0 where none waits. */
  waitedMs(): Promise<number>;
  /** Removes the queue with all its jobs; what running ones still do does not affect it. */
  destroy(): Promise<void>;
  /**
   * For how many milliseconds the job that is next could have run, and no worker has any in flight
   * and no limit holds it; else 0.
   */
  stalledMs(): Promise<number>;
  /** Why nothing can be added now, or undefined. */
  fault(): string | undefined;
  /** The same, and Redis is asked: a connection that stands is no proof that it answers. */
  probe(): Promise<string | undefined>;
  /** Calls `listener` after each reconnect to Redis, which may have come back empty. */
  onReconnect(listener: () => void): void;
  /**
   * What holds over all workers of the queue from now on; set again by itself after each reconnect,
   * before anything is added.
   */
  limit(limits: WorkerLimits): Promise<void>;
};

const DEFAULT_ATTEMPTS = 5;

const REOPEN = { initial: 250, max: 500 };

async function openOnce({ cluster, name, logger }: QueueOptions, redis: Redis): Promise<BullQueue> {
  const queue = new BullQueue(name, {
    connection: redis,
    prefix: prefix(cluster),
    skipMetasUpdate: true,
    defaultJobOptions: {
      removeOnComplete: true,
      removeOnFail: { age: 3_600, count: 1_000 },
      backoff: { type: "custom" },
      stackTraceLimit: 0,
    },
  });
  queue.on("error", (err) => logger.warn({ err, queue: name }, "queue error"));
  try {
    await queue.waitUntilReady();
    return queue;
  } catch (err) {
    await queue.close().catch(() => undefined);
    throw err;
  }
}

/**
 * BullMQ asks Redis for its version once, when a queue is opened, and an error there, of a Redis
 * that goes away just then, would be the answer to everything that is ever added: such a queue is
 * opened again. Throws the reason of the signal.
 */
function openBull(options: QueueOptions, redis: Redis): Promise<BullQueue> {
  const { logger, name, signal } = options;
  const onFailure = (err: unknown) =>
    logger.warn({ err, queue: name }, "queue not opened, retrying");
  return retry(() => openOnce(options, redis), { backoff: REOPEN, signal, onFailure });
}

/** Opens a queue to add to; waits until Redis answers. */
export async function openQueue<T>(options: QueueOptions): Promise<JobQueue<T>> {
  const { redis, fault } = await connectRedis(options, false);
  const queue = await openBull(options, redis).catch((err: unknown) => {
    redis.disconnect();
    throw err;
  });
  const limits = createLimits(redis, queue, options.logger);
  const add = (data: T, opts: AddOptions) =>
    queue.add("job", data, {
      attempts: opts.attempts ?? DEFAULT_ATTEMPTS,
      delay: opts.delayMs ?? 0,
      deduplication: { id: opts.id, keepLastIfActive: true },
    });
  const waitedMs = async () => {
    const [next] = await queue.getJobs(["waiting"], 0, 0, true);
    // A job may be gone between the list and its read.
    if (next === undefined) return 0;
    return Math.max(0, Date.now() - next.timestamp - (next.opts.delay ?? 0));
  };
  return {
    async add(data, opts) {
      await add(data, opts);
    },
    async addAndWake(data, opts) {
      const job = await add(data, opts);
      if (job.id === undefined) return;
      // The returned job is the waiting one where this add was merged; in a backoff it would hold
      // the newer change back.
      const waiting = await queue.getJob(job.id);
      if (waiting === undefined || waiting.attemptsMade === 0 || !(await waiting.isDelayed()))
        return;
      await waiting.promote().catch(() => undefined);
    },
    counts: () => queue.getJobCounts("waiting", "active", "delayed", "failed", "prioritized"),
    waitedMs,
    async stalledMs() {
      const { waiting = 0, active = 0 } = await queue.getJobCounts("waiting", "active");
      const free = waiting > 0 && active === 0 && (await queue.getRateLimitTtl()) <= 0;
      return free ? waitedMs() : 0;
    },
    destroy: () => queue.obliterate({ force: true }),
    fault: () => fault() ?? limits.fault(),
    async probe() {
      const existing = fault() ?? limits.fault();
      if (existing !== undefined) return existing;
      try {
        await withDeadline(ANSWER_MS, redis.ping());
        return undefined;
      } catch (err) {
        return fault() ?? toError(err).message;
      }
    },
    onReconnect: limits.onReconnect,
    limit: limits.set,
    async [Symbol.asyncDispose]() {
      await queue.close().catch(() => undefined);
      redis.disconnect();
    },
  };
}
