import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@rollcast/runtime/logger";
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

/**
 * Sets concurrency, max and duration in BullMQ's hash of the queue, all at once and only where they
 * differ: a window of the rate that is under way is cut to the new duration, else the old one would
 * hold on, and its count is kept, so that no replica's repetition lets more through. Wakes a
 * worker.
 */
const SET = `
local now = redis.call("HMGET", KEYS[1], "concurrency", "max", "duration")
if (now[1] or "") == ARGV[1] and (now[2] or "") == ARGV[2] and (now[3] or "") == ARGV[3] then return 0 end
redis.call("HSET", KEYS[1], "concurrency", ARGV[1])
if ARGV[2] == "" then
  redis.call("HDEL", KEYS[1], "max", "duration")
else
  redis.call("HSET", KEYS[1], "max", ARGV[2], "duration", ARGV[3])
  if redis.call("PTTL", KEYS[2]) > tonumber(ARGV[3]) then redis.call("PEXPIRE", KEYS[2], ARGV[3]) end
end
redis.call("ZADD", KEYS[3], 0, "0")
return 1`;

const RETRY_MS = 500;

export function createLimits(
  redis: Redis,
  keyOf: (part: string) => string,
  options: { name: string; logger: Logger },
): LimitsSync {
  const { name: queue, logger } = options;
  const listeners: (() => void)[] = [];
  let wanted: WorkerLimits | undefined;
  let isSet = true;

  const apply = async () => {
    if (wanted === undefined) return;
    const { concurrency, rateLimit } = wanted;
    const { max = "", per = "" } = rateLimit ?? {};
    const keys = [keyOf("meta"), keyOf("limiter"), keyOf("marker")];
    await redis.eval(SET, keys.length, ...keys, String(concurrency), String(max), String(per));
  };
  const onReady = async () => {
    // A Redis that came back empty has forgotten them.
    isSet = wanted === undefined;
    while (!isSet && redis.status === "ready") {
      try {
        await apply();
        isSet = true;
      } catch (err) {
        logger.warn({ err, queue }, "limits of the queue not set, retrying");
        await sleep(RETRY_MS);
      }
    }
    if (!isSet) return;
    for (const listener of listeners) {
      try {
        listener();
      } catch (err) {
        logger.error({ err, queue }, "reconnect listener failed");
      }
    }
  };
  // The first `ready` is behind us: each further one is a reconnect.
  redis.on("ready", () => void onReady());
  return {
    async set(limits) {
      wanted = limits;
      await apply();
    },
    fault: () => (isSet ? undefined : "its limits are not set yet"),
    onReconnect(listener) {
      listeners.push(listener);
    },
  };
}
