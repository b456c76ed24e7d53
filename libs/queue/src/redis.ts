import process from "node:process";
import type { Logger } from "@rollcast/runtime/logger";
import { Redis } from "ioredis";
import { redisAccess } from "./redis-access.ts";
import type { RedisIdentity } from "./redis-access.ts";

/**
 * BullMQ on Redis. The queues hold jobs, never truth: whatever is in them can be made again from
 * the records in NATS, so an empty Redis loses nothing.
 */
export type QueueOptions = RedisIdentity & {
  /** Name of the cluster: queues of two clusters in one Redis stay apart. */
  cluster: string;
  /** Name of the queue (`rollout-default`). */
  name: string;
  logger: Logger;
  /** Ends the wait for a Redis that is not there at the start. */
  signal?: AbortSignal;
};

const RECONNECT_MAX_MS = 2_000;
/**
 * Longer than a worker waits for a job: a Redis that owes an answer for so long is gone, though its
 * connection stands.
 */
const SILENCE_MS = 15_000;

/** What all keys of a cluster begin with. */
export function prefix(cluster: string): string {
  // A hash tag, so that one queue's keys stay in one slot of a Redis Cluster.
  return `{rollcast-${cluster}}`;
}

export type Client = { redis: Redis; fault: () => string | undefined };

/** Connects, waiting until Redis answers or the signal fires (throws its reason). */
export async function connectRedis(options: QueueOptions, forWorker: boolean): Promise<Client> {
  const access = await redisAccess(options, process.env);
  const redis = new Redis(access.url, {
    ...access.options,
    lazyConnect: true,
    connectionName: `rollcast-${options.name}`,
    retryStrategy: (times) => Math.min(250 * times, RECONNECT_MAX_MS),
    connectTimeout: 5_000,
    socketTimeout: SILENCE_MS,
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
