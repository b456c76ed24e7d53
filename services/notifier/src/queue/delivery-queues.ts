import { z } from "zod";
import type { RedisIdentity } from "@rollcast/queue/access";
import { openQueue } from "@rollcast/queue/open";
import type { Queue } from "@rollcast/queue/open";
import type { RateLimit } from "@rollcast/shared/config/receivers";
import { firstFailure } from "@rollcast/runtime/health/liveness";
import type { Logger } from "@rollcast/runtime/logger";
import type { Addressed, DeliveryJobs } from "../context.ts";

export const Job = z.union([
  z.strictObject({ group: z.string() }),
  z.strictObject({ notification: z.string() }),
]);
export type Job = z.infer<typeof Job>;

export type DeliveryQueuesOptions = RedisIdentity & { cluster: string; logger: Logger };

/** Receivers with a queue of their own, and how fast each may be sent to. */
export type Limits = ReadonlyMap<string, RateLimit>;

/** The queues: one for the groups, and one for each receiver, so that a dead one delays no other. */
export type DeliveryQueues = AsyncDisposable & {
  readonly jobs: DeliveryJobs;
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
  standing(): Promise<ReadonlyMap<string, number>>;
};

export const GROUPS_QUEUE = "notify";
const ATTEMPTS = 20;

export function queueName(receiver: string): string {
  return `${GROUPS_QUEUE}-${receiver}`;
}

function addDelivery(queue: Queue<Job>, one: Addressed, delayMs: number): Promise<void> {
  // A turn that was left from before a redrive must not take the new one in.
  const id = one.redriven === undefined ? one.id : `${one.id}-${one.redriven.count}`;
  return queue.add({ notification: one.id }, { id, delayMs, attempts: ATTEMPTS });
}

export async function openDeliveryQueues(options: DeliveryQueuesOptions): Promise<DeliveryQueues> {
  const open = (name: string) => openQueue<Job>({ ...options, name });
  const groups = await open(GROUPS_QUEUE);
  const byReceiver = new Map<string, Queue<Job>>();
  const named = (): [string, Queue<Job>][] => [["", groups], ...byReceiver];
  const all = () => [groups, ...byReceiver.values()];
  const ofEach = async <T>(ask: (queue: Queue<Job>) => Promise<T>) =>
    new Map(
      await Promise.all(named().map(async ([name, queue]) => [name, await ask(queue)] as const)),
    );
  return {
    jobs: {
      flush: (group, delayMs) => groups.add({ group }, { id: group, delayMs, attempts: ATTEMPTS }),
      // Nobody works on the queue of a receiver that was removed: the turn that buries its message is one of the groups'.
      deliver: (one, delayMs) => addDelivery(byReceiver.get(one.receiver) ?? groups, one, delayMs),
      async handOver(one, delayMs) {
        const own = byReceiver.get(one.receiver);
        if (own !== undefined) return addDelivery(own, one, delayMs);
        await using theirs = await open(queueName(one.receiver));
        await addDelivery(theirs, one, delayMs);
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
    probe: () => firstFailure(all().map((queue) => queue.probe())),
    counts: () => ofEach((queue) => queue.counts()),
    standing: () => ofEach((queue) => queue.standingMs()),
    async [Symbol.asyncDispose]() {
      await Promise.all(all().map((queue) => queue[Symbol.asyncDispose]()));
    },
  };
}
