import type { RedisIdentity } from "@rollcast/queue/access";
import { openQueue } from "@rollcast/queue/open";
import type { Queue } from "@rollcast/queue/open";
import type { RateLimit } from "@rollcast/shared/config/notifier";
import { firstFault } from "@rollcast/runtime/health/liveness";
import type { Logger } from "@rollcast/runtime/logger";
import type { NotificationRef, Jobs } from "../context.ts";
import type { Job } from "./job.ts";

export type QueueOptions = RedisIdentity & { cluster: string; logger: Logger };

/** Receivers with a queue of their own, and how fast each may be sent to. */
export type Limits = ReadonlyMap<string, RateLimit>;

/** The queues: one for the groups, and one for each receiver, so that a dead one delays no other. */
export type Queues = AsyncDisposable & {
  readonly jobs: Jobs;
  /** Opens the queues of receivers that have none yet. */
  open(limits: Limits): Promise<void>;
  /** Closes the queues of receivers that are in `limits` no more. */
  keep(limits: Limits): Promise<void>;
  /** Removes what is in Redis of receivers' queues that are closed. */
  forget(receivers: readonly string[]): Promise<void>;
  fault(): string | undefined;
  /** The same, and Redis is asked. */
  probe(): Promise<string | undefined>;
  onReconnect(listener: () => void): void;
  /** Jobs by receiver (none: the groups) and state. */
  counts(): Promise<ReadonlyMap<string, Record<string, number>>>;
  /** By receiver (none: the groups), for how many milliseconds turns are due of which no replica has any in hand, though no limit holds them; else 0. */
  stalledMs(): Promise<ReadonlyMap<string, number>>;
};

export const GROUPS_QUEUE = "notify";

const ATTEMPTS = 20;

export function queueName(receiver: string): string {
  return `${GROUPS_QUEUE}-${receiver}`;
}

function addDelivery(
  queue: Queue<Job>,
  notification: NotificationRef,
  delayMs: number,
): Promise<void> {
  // A turn that was left from before a redrive must not take the new one in.
  const id =
    notification.redriven === undefined
      ? notification.id
      : `${notification.id}-${notification.redriven.count}`;
  return queue.add({ notification: notification.id }, { id, delayMs, attempts: ATTEMPTS });
}

export async function openQueues(options: QueueOptions): Promise<Queues> {
  const open = (name: string) => openQueue<Job>({ ...options, name });
  const groups = await open(GROUPS_QUEUE);
  const byReceiver = new Map<string, Queue<Job>>();
  const named = (): [string, Queue<Job>][] => [["", groups], ...byReceiver];
  const all = () => [groups, ...byReceiver.values()];
  const readEach = async <T>(read: (queue: Queue<Job>) => Promise<T>) =>
    new Map(
      await Promise.all(named().map(async ([name, queue]) => [name, await read(queue)] as const)),
    );
  return {
    jobs: {
      enqueueFlush: (group, delayMs) =>
        groups.add({ group }, { id: group, delayMs, attempts: ATTEMPTS }),
      // Nobody works on the queue of a receiver that was removed: the turn that buries its message is one of the groups'.
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
    // Each queue has its own connection; what one finds empty, the others do.
    onReconnect: (listener) => groups.onReconnect(listener),
    probe: () => firstFault(all().map((queue) => queue.probe())),
    counts: () => readEach((queue) => queue.counts()),
    stalledMs: () => readEach((queue) => queue.standingMs()),
    async [Symbol.asyncDispose]() {
      await Promise.all(all().map((queue) => queue[Symbol.asyncDispose]()));
    },
  };
}
