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

/**
 * What a server answers that new connections may no longer lead to: one that became a read-only
 * replica in a failover (a script says it within its own words), that ends the waits of blocked
 * clients then, or that takes over the data of another one.
 * https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
 */
const DEMOTED = /\bREADONLY\b|^(?:UNBLOCKED|LOADING|MASTERDOWN)\b/;
/** Before a connection is made anew for that: the failover may take a while. */
const DEMOTED_MS = 1_000;

/** What all keys of a cluster begin with. */
export function prefix(cluster: string): string {
  // A hash tag, so that one queue's keys stay in one slot of a Redis Cluster.
  return `{rollcast-${cluster}}`;
}

/**
 * Why Redis, though it answers, takes no job, or undefined; then the connection is made anew.
 * Throws what the client throws.
 */
export async function refusalOf(redis: Redis): Promise<string | undefined> {
  const isReplica = /^role:slave\r?$/m.test(await redis.info("replication"));
  if (!isReplica) return undefined;
  redis.disconnect(true);
  return "it is a read-only replica";
}

export type Client = { redis: Redis; fault: () => string | undefined };

/** Connects, waiting until Redis answers or the signal fires (throws its reason). */
export async function connectRedis(options: QueueOptions, forWorker: boolean): Promise<Client> {
  const access = await redisAccess(options, process.env);
  let isDemoted = false;
  const redis = new Redis(access.url, {
    ...access.options,
    lazyConnect: true,
    connectionName: `rollcast-${options.name}`,
    retryStrategy(times) {
      const least = isDemoted ? DEMOTED_MS : 0;
      isDemoted = false;
      return Math.max(Math.min(250 * times, RECONNECT_MAX_MS), least);
    },
    // The clients that BullMQ makes of this one have the options too.
    reconnectOnError({ message }) {
      isDemoted = DEMOTED.test(message);
      return isDemoted;
    },
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
