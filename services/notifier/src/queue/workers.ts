import { openWorker } from "@rollcast/queue/worker";
import type { Work } from "@rollcast/queue/worker";
import { RetryLaterError, isAborted } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import { deliver } from "../delivery/deliver.ts";
import type { DeliverOptions } from "../delivery/deliver.ts";
import { flush } from "../group/flush.ts";
import { GROUPS_QUEUE, queueName } from "./delivery-queues.ts";
import { Job } from "./job.ts";
import type { ReceiverLimits, DeliveryQueuesOptions } from "./delivery-queues.ts";

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
