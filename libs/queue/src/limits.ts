import { retry } from "@rollcast/async/retry";
import type { Logger } from "@rollcast/runtime/logger";
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";

/**
 * What BullMQ keeps for all workers of a queue. `per` in milliseconds; a window of the rate begins
 * with its first job.
 */
export type WorkerLimits = {
  readonly concurrency: number;
  readonly rateLimit?: { readonly max: number; readonly per: number };
};

export type LimitsSync = {
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

export function createLimits(redis: Redis, queue: Queue, logger: Logger): LimitsSync {
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
