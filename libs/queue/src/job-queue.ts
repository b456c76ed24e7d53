import { toError } from "@rollcast/shared/errors";
import { ANSWER_MS, withDeadline } from "@rollcast/async/deadline";
import { retry } from "@rollcast/async/retry";
import { Queue as BullQueue } from "bullmq";
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "@rollcast/runtime/logger";
import { connectRedis, prefix, refusalOf } from "./redis.ts";
import type { QueueOptions } from "./redis.ts";

type AddOptions = {
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
  /**
   * The same, and Redis is asked: a connection that stands is no proof that it answers, or takes
   * anything.
   */
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
        return await withDeadline(ANSWER_MS, refusalOf(redis));
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

/**
 * What BullMQ keeps for all workers of a queue. `per` in milliseconds; a window of the rate begins
 * with its first job.
 */
type WorkerLimits = {
  readonly concurrency: number;
  readonly rateLimit?: { readonly max: number; readonly per: number };
};

type LimitsSync = {
  set(limits: WorkerLimits): Promise<void>;
  /** Why nothing may be added yet, or undefined. */
  fault(): string | undefined;
  /** Calls back after each reconnect, once the limits are set again. */
  onReconnect(listener: () => void): void;
};

const RETRY = { initial: 250, max: 500 };

/** Replicas may apply the same limits at the same time: each step does no harm when repeated. */
async function apply(redis: Redis, queue: Queue, limits: WorkerLimits): Promise<void> {
  const { concurrency, rateLimit } = limits;
  await queue.setGlobalConcurrency(concurrency);
  if (rateLimit === undefined) await queue.removeGlobalRateLimit();
  else {
    const { max, per } = rateLimit;
    await queue.setGlobalRateLimit(max, per);
    // BullMQ leaves a window that is under way its old duration, and can only end it (its count is
    // lost, and each replica that does so lets `max` more jobs through) or block it whole.
    if ((await queue.getRateLimitTtl(1)) > per) await redis.pexpire(queue.toKey("limiter"), per);
  }
  // Wakes a worker, which else would notice a higher concurrency only after its `drainDelay`.
  if (!(await queue.isPaused())) await queue.resume();
}

function createLimits(redis: Redis, queue: Queue, logger: Logger): LimitsSync {
  const listeners: (() => void)[] = [];
  let wanted: WorkerLimits | undefined;
  let isSet = true;

  const set = async () => {
    if (wanted !== undefined) await apply(redis, queue, wanted);
  };
  const onFailure = (err: unknown) => {
    // The next `ready` begins anew.
    if (redis.status !== "ready") throw err;
    logger.warn({ err, queue: queue.name }, "limits of the queue not set, retrying");
  };
  const onReady = async () => {
    // A Redis that came back empty has forgotten them.
    isSet = wanted === undefined;
    await retry(set, { backoff: RETRY, onFailure });
    isSet = true;
    for (const listener of listeners) {
      try {
        listener();
      } catch (err) {
        logger.error({ err, queue: queue.name }, "reconnect listener failed");
      }
    }
  };
  // The first `ready` is behind us: each further one is a reconnect.
  redis.on("ready", () => void onReady().catch(() => undefined));
  return {
    async set(limits) {
      wanted = limits;
      await set();
    },
    fault: () => (isSet ? undefined : "its limits are not set yet"),
    onReconnect(listener) {
      listeners.push(listener);
    },
  };
}
