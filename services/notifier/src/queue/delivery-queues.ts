import type { RedisIdentity } from "@rollcast/queue/redis-access";
import { openQueue } from "@rollcast/queue/job-queue";
import type { JobQueue } from "@rollcast/queue/job-queue";
import type { RateLimit } from "@rollcast/shared/config/receivers";
import { firstFailure } from "@rollcast/runtime/health/liveness";
import type { Logger } from "@rollcast/runtime/logger";
import type { NotificationRef, Jobs } from "../context.ts";
import type { Job } from "./job.ts";

export type DeliveryQueuesOptions = RedisIdentity & { cluster: string; logger: Logger };

/** Receivers with a queue of their own, and their rate limits. */
export type ReceiverLimits = ReadonlyMap<string, RateLimit>;

/**
 * One queue for groups and one for each receiver, so that a failing receiver does not delay the
 * others.
 */
export type DeliveryQueues = AsyncDisposable & {
  readonly jobs: Jobs;
  /** Opens the queues of receivers that have none yet. */
  open(limits: ReceiverLimits): Promise<void>;
  /** Closes the queues of receivers that are not in `limits`. */
  keep(limits: ReceiverLimits): Promise<void>;
  /** Deletes the Redis data of receivers whose queues are closed. */
  forget(receivers: readonly string[]): Promise<void>;
  fault(): string | undefined;
  /** Like `fault`, but pings Redis. */
  probe(): Promise<string | undefined>;
  onReconnect(listener: () => void): void;
  /** Jobs by receiver (empty for groups) and state. */
  counts(): Promise<ReadonlyMap<string, Record<string, number>>>;
  /**
   * By receiver (empty for groups): for how many milliseconds jobs have been due while no replica
   * runs one and no limit delays them; otherwise 0.
   */
  stalledMs(): Promise<ReadonlyMap<string, number>>;
};

export const GROUPS_QUEUE = "notify";

const ATTEMPTS = 20;

export function queueName(receiver: string): string {
  return `${GROUPS_QUEUE}-${receiver}`;
}

function addDelivery(
  queue: JobQueue<Job>,
  notification: NotificationRef,
  delayMs: number,
): Promise<void> {
  // A job that was left from before a redrive must not swallow the new one.
  const id =
    notification.redriven === undefined
      ? notification.id
      : `${notification.id}-${notification.redriven.count}`;
  return queue.add({ notification: notification.id }, { id, delayMs, attempts: ATTEMPTS });
}

export async function openDeliveryQueues(options: DeliveryQueuesOptions): Promise<DeliveryQueues> {
  const open = (name: string) => openQueue<Job>({ ...options, name });
  const groups = await open(GROUPS_QUEUE);
  const byReceiver = new Map<string, JobQueue<Job>>();
  const named = (): [string, JobQueue<Job>][] => [["", groups], ...byReceiver];
  const all = () => [groups, ...byReceiver.values()];
  const readEach = async <T>(read: (queue: JobQueue<Job>) => Promise<T>) =>
    new Map(
      await Promise.all(named().map(async ([name, queue]) => [name, await read(queue)] as const)),
    );
  return {
    jobs: {
      enqueueFlush: (group, delayMs) =>
        groups.add({ group }, { id: group, delayMs, attempts: ATTEMPTS }),
      // A removed receiver's queue has no worker: the group queue runs the job that turns its
      // notification into a dead letter.
      enqueueDelivery: (notification, delayMs) =>
        addDelivery(byReceiver.get(notification.receiver) ?? groups, notification, delayMs),
      async forward(notification, delayMs) {
        const own = byReceiver.get(notification.receiver);
        if (own !== undefined) return addDelivery(own, notification, delayMs);
        await using queue = await open(queueName(notification.receiver));
        await addDelivery(queue, notification, delayMs);
      },
    },
    async open(limits) {
      for (const name of limits.keys()) {
        if (!byReceiver.has(name)) byReceiver.set(name, await open(queueName(name)));
      }
    },
    async keep(limits) {
      for (const [name, queue] of byReceiver) {
        if (limits.has(name)) continue;
        byReceiver.delete(name);
        await queue[Symbol.asyncDispose]();
      }
    },
    async forget(receivers) {
      for (const name of receivers) {
        if (byReceiver.has(name)) continue;
        await using queue = await open(queueName(name));
        await queue.destroy();
      }
    },
    fault: () =>
      all()
        .map((queue) => queue.fault())
        .find((fault) => fault !== undefined),
    // Every queue has its own connection, but all use the same Redis: one listener is enough.
    onReconnect: (listener) => groups.onReconnect(listener),
    probe: () => firstFailure(all().map((queue) => queue.probe())),
    counts: () => readEach((queue) => queue.counts()),
    stalledMs: () => readEach((queue) => queue.stalledMs()),
    async [Symbol.asyncDispose]() {
      await Promise.all(all().map((queue) => queue[Symbol.asyncDispose]()));
    },
  };
}
