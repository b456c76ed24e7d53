import { openWorker } from "@rollcast/queue/worker";
import type { Work } from "@rollcast/queue/worker";
import { RetryLater, isAborted } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import { deliver } from "../delivery/deliver.ts";
import type { DeliverOptions } from "../delivery/deliver.ts";
import { flush } from "../group/flush.ts";
import { GROUPS_QUEUE, Job, queueName } from "./delivery-queues.ts";
import type { Limits, DeliveryQueuesOptions } from "./delivery-queues.ts";

const GROUPS_AT_ONCE = 8;
const SENT_AT_ONCE = 4;
const STOP_MS = 4_000;
const BACKOFF = { initial: 500, max: 30_000 };

/** Fires `STOP_MS` after `signal`: what a receiver has not answered by then is handed back. */
function endOf(signal: AbortSignal): AbortSignal {
  const end = new AbortController();
  const stop = () => setTimeout(() => end.abort(), STOP_MS).unref();
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return end.signal;
}

/** What was broken off by `signal` is for somebody else, without using an attempt. */
async function handBack(work: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work;
  } catch (err) {
    if (signal.aborted && isAborted(err)) throw new RetryLater(0, "stopping", { cause: err });
    throw err;
  }
}

async function enqueue(ctx: Context, data: unknown, options: DeliverOptions): Promise<void> {
  const turn = Job.safeParse(data);
  // Redis holds turns only: one that is not of the form is dropped, the sweep knows what is due.
  if (!turn.success) ctx.logger.error({ err: turn.error }, "turn dropped, it is not of the form");
  else if ("group" in turn.data) await flush(ctx, turn.data.group);
  else await handBack(deliver(ctx, turn.data.notification, options), options.signal);
}

/** Opens the worker of one queue; the groups' where no receiver is given. */
type Open = (receiver?: string, limits?: Limits) => Promise<Work>;

function opener(ctx: Context, options: DeliveryQueuesOptions, stopping: AbortSignal): Open {
  const end = endOf(stopping);
  return (receiver, limits) => {
    const limit = receiver === undefined ? undefined : limits?.get(receiver);
    return openWorker<unknown>({
      ...options,
      name: receiver === undefined ? GROUPS_QUEUE : queueName(receiver),
      backoff: BACKOFF,
      concurrency: receiver === undefined ? GROUPS_AT_ONCE : SENT_AT_ONCE,
      ...(limit === undefined ? {} : { rateLimit: { max: limit.max, periodMs: limit.per } }),
      process: (data, { signal, hold }) =>
        enqueue(ctx, data, {
          signal: AbortSignal.any([signal, end]),
          hold: limit === undefined ? async () => undefined : hold,
          ...(receiver === undefined ? {} : { receiver }),
        }),
    });
  };
}

export type Workers = AsyncDisposable & {
  /** Works on the queues of these receivers, at their limits, and on no others. What is in hand of a queue that is closed ends before this returns. */
  set(limits: Limits): Promise<void>;
  fault(): string | undefined;
  /** For how many milliseconds the oldest turn in hand has been so; 0 where none is. */
  inFlightMs(): number;
  /** Milliseconds since the epoch when a turn of this receiver (none: of a group) was last taken or ended; undefined where its queue is not worked on. */
  lastActive(receiver: string): number | undefined;
};

/** Works all queues off; after `signal`, what is in hand has a moment to end. */
export async function openWorkers(
  ctx: Context,
  options: DeliveryQueuesOptions,
  stopping: AbortSignal,
): Promise<Workers> {
  const open = opener(ctx, options, stopping);
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
    // At once: each may have to wait for what it has in hand.
    async [Symbol.asyncDispose]() {
      await Promise.all(all().map((work) => work[Symbol.asyncDispose]()));
    },
  };
}
