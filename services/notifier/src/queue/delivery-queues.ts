import type { Metrics } from "@rollcast/runtime/metrics";
import { z } from "zod";
import { openQueue } from "@rollcast/queue/job-queue";
import type { JobQueue } from "@rollcast/queue/job-queue";
import type { RedisIdentity } from "@rollcast/queue/redis-access";
import { openWorker } from "@rollcast/queue/worker";
import type { Work } from "@rollcast/queue/worker";
import { firstFailure } from "@rollcast/runtime/health/liveness";
import type { Logger } from "@rollcast/runtime/logger";
import type { RateLimit } from "@rollcast/shared/config/receivers";
import { RetryLaterError, isAborted } from "@rollcast/shared/errors";
import type { Context, Jobs, NotificationRef } from "../context.ts";
import { deliver } from "../delivery/deliver.ts";
import type { DeliverOptions } from "../delivery/deliver.ts";
import { flush } from "../group/flush.ts";

/** A job names a record: the group to flush or the notification to deliver. */
const Job = z.union([
  z.strictObject({ group: z.string() }),
  z.strictObject({ notification: z.string() }),
]);
type Job = z.infer<typeof Job>;

export type DeliveryQueuesOptions = RedisIdentity & { cluster: string; logger: Logger };

/** Receivers with a queue of their own, and their rate limits. */
type ReceiverLimits = ReadonlyMap<string, RateLimit>;

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

const GROUPS_QUEUE = "notify";

const ATTEMPTS = 20;

function queueName(receiver: string): string {
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

const GROUP_CONCURRENCY = 8;
const SEND_CONCURRENCY = 4;
const STOP_MS = 4_000;
const BACKOFF = { initial: 500, max: 30_000 };

/** Fires `STOP_MS` after `signal`: attempts without an answer by then are requeued. */
function graceAfter(signal: AbortSignal): AbortSignal {
  const graceEnd = new AbortController();
  const stop = () => setTimeout(() => graceEnd.abort(), STOP_MS).unref();
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return graceEnd.signal;
}

/** Requeues what `signal` aborted, without using an attempt. */
async function requeueIfAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work;
  } catch (err) {
    if (signal.aborted && isAborted(err)) throw new RetryLaterError(0, "stopping", { cause: err });
    throw err;
  }
}

async function runJob(ctx: Context, data: unknown, options: DeliverOptions): Promise<void> {
  const job = Job.safeParse(data);
  // Redis holds nothing but jobs: drop an invalid one, the next resync adds what is due.
  if (!job.success) ctx.logger.error({ err: job.error }, "invalid job dropped");
  else if ("group" in job.data) await flush(ctx, job.data.group);
  else await requeueIfAborted(deliver(ctx, job.data.notification, options), options.signal);
}

/** Opens the worker of a queue; without a receiver, that of the group queue. */
type OpenWorker = (receiver?: string, limits?: ReceiverLimits) => Promise<Work>;

function createWorkerOpener(
  ctx: Context,
  options: DeliveryQueuesOptions,
  stopping: AbortSignal,
): OpenWorker {
  const graceEnd = graceAfter(stopping);
  return (receiver, limits) => {
    const limit = receiver === undefined ? undefined : limits?.get(receiver);
    return openWorker<unknown>({
      ...options,
      name: receiver === undefined ? GROUPS_QUEUE : queueName(receiver),
      backoff: BACKOFF,
      concurrency: receiver === undefined ? GROUP_CONCURRENCY : SEND_CONCURRENCY,
      rateLimit: limit === undefined ? undefined : { max: limit.max, periodMs: limit.per },
      process: (data, { signal, pause }) =>
        runJob(ctx, data, {
          signal: AbortSignal.any([signal, graceEnd]),
          pause: limit === undefined ? async () => undefined : pause,
          receiver,
        }),
    });
  };
}

export type Workers = AsyncDisposable & {
  /**
   * Runs the queues of exactly these receivers at their rate limits. The active jobs of a queue
   * that closes finish before this returns.
   */
  set(limits: ReceiverLimits): Promise<void>;
  fault(): string | undefined;
  /** For how many milliseconds the oldest active job has been running; 0 when there is none. */
  inFlightMs(): number;
  /**
   * When a job of this receiver (empty for groups) was last started or finished, in milliseconds
   * since the epoch; undefined when this process does not run its queue.
   */
  lastActive(receiver: string): number | undefined;
};

/** Runs the jobs of all queues; after `stopping` fires, active jobs get a moment to finish. */
export async function openWorkers(
  ctx: Context,
  options: DeliveryQueuesOptions,
  stopping: AbortSignal,
): Promise<Workers> {
  const open = createWorkerOpener(ctx, options, stopping);
  const groups = await open();
  const byReceiver = new Map<string, { readonly limit: string; readonly work: Work }>();
  const all = () => [groups, ...Array.from(byReceiver.values(), ({ work }) => work)];
  return {
    async set(limits) {
      for (const [name, { limit, work }] of byReceiver) {
        if (limit === JSON.stringify(limits.get(name))) continue;
        byReceiver.delete(name);
        await work[Symbol.asyncDispose]();
      }
      for (const [name, limit] of limits) {
        if (byReceiver.has(name)) continue;
        byReceiver.set(name, { limit: JSON.stringify(limit), work: await open(name, limits) });
      }
    },
    fault: () =>
      all()
        .map((work) => work.fault())
        .find((fault) => fault !== undefined),
    inFlightMs: () => Math.max(...all().map((work) => work.inFlightMs())),
    lastActive: (receiver) =>
      (receiver === "" ? groups : byReceiver.get(receiver)?.work)?.lastActive(),
    // In parallel: each may have to wait for its active jobs.
    async [Symbol.asyncDispose]() {
      await Promise.all(all().map((work) => work[Symbol.asyncDispose]()));
    },
  };
}

/** Counts the jobs on each scrape. */
export function jobsGauge(metrics: Metrics, queues: DeliveryQueues): void {
  const help = "Jobs by receiver (empty for groups) and state";
  metrics.gauge("rollcast_notify_jobs", help, ["receiver", "state"], async (gauge) => {
    gauge.reset();
    if (queues.fault() !== undefined) return;
    for (const [receiver, counts] of await queues.counts()) {
      for (const [state, count] of Object.entries(counts)) gauge.set({ receiver, state }, count);
    }
  });
}
