import { z } from "zod";
import type { RateLimit } from "@rollcast/shared/config/notifier";
import { RetryLater, isAborted } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/shared/logger";
import { openQueue, openWorker } from "@rollcast/shared/queue";
import type { Queue, Work } from "@rollcast/shared/queue";
import type { Context, Turns } from "./context.ts";
import { deliver } from "./deliver.ts";
import type { DeliverOptions } from "./deliver.ts";
import { flush } from "./flush.ts";

const Turn = z.union([
  z.strictObject({ group: z.string() }),
  z.strictObject({ notification: z.string() }),
]);
type Turn = z.infer<typeof Turn>;

export type QueuesOptions = {
  url: string;
  cluster: string;
  logger: Logger;
  /** Receivers with a queue of their own, and how fast each may be sent to. */
  receivers: ReadonlyMap<string, RateLimit>;
};

/** The queues: one for the groups, and one for each receiver, so that a dead one delays no other. */
export type Queues = AsyncDisposable & {
  readonly turns: Turns;
  fault(): string | undefined;
  onReconnect(listener: () => void): void;
  /** Jobs by receiver (none: the groups) and state. */
  counts(): Promise<ReadonlyMap<string, Record<string, number>>>;
  /** Groups whose turn has come. */
  waitingGroups(): Promise<number>;
};

const GROUPS_QUEUE = "notify";
const GROUPS_AT_ONCE = 8;
const SENT_AT_ONCE = 4;
const STOP_MS = 4_000;
const ATTEMPTS = 20;
const BACKOFF = { initial: 500, max: 30_000 };

function queueName(receiver: string): string {
  return `${GROUPS_QUEUE}-${receiver}`;
}

export async function openQueues(options: QueuesOptions): Promise<Queues> {
  await using undo = new AsyncDisposableStack();
  const { url, cluster, logger } = options;
  const open = async (name: string) =>
    undo.use(await openQueue<Turn>({ url, cluster, name, logger }));
  const groups = await open(GROUPS_QUEUE);
  const byReceiver = new Map<string, Queue<Turn>>();
  for (const name of options.receivers.keys()) byReceiver.set(name, await open(queueName(name)));
  const all = [groups, ...byReceiver.values()];
  const kept = undo.move();
  return {
    turns: {
      flush: (group, delayMs) => groups.add({ group }, { id: group, delayMs, attempts: ATTEMPTS }),
      deliver: (receiver, notification, delayMs) =>
        // Nobody works on the queue of a receiver that was removed: the turn that buries its message is one of the groups'.
        (byReceiver.get(receiver) ?? groups).add(
          { notification },
          { id: notification, delayMs, attempts: ATTEMPTS },
        ),
    },
    fault: () => all.map((queue) => queue.fault()).find((fault) => fault !== undefined),
    // Each queue has its own connection; what one finds empty, the others do.
    onReconnect: (listener) => groups.onReconnect(listener),
    waitingGroups: async () => (await groups.counts()).waiting ?? 0,
    counts: async () => {
      const named: [string, Queue<Turn>][] = [["", groups], ...byReceiver];
      return new Map(
        await Promise.all(
          named.map(async ([name, queue]) => [name, await queue.counts()] as const),
        ),
      );
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

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

async function take(ctx: Context, data: unknown, options: DeliverOptions): Promise<void> {
  const turn = Turn.safeParse(data);
  // Redis holds turns only: one that is not of the form is dropped, the sweep knows what is due.
  if (!turn.success) ctx.logger.error({ err: turn.error }, "turn dropped, it is not of the form");
  else if ("group" in turn.data) await flush(ctx, turn.data.group);
  else await handBack(deliver(ctx, turn.data.notification, options), options.signal);
}

export type Workers = AsyncDisposable & {
  fault(): string | undefined;
  /** Milliseconds since the epoch when a turn of a group was last taken or ended, or none was left. */
  lastGroup(): number;
};

/** Works all queues off; after `signal`, what is in hand has a moment to end. */
export async function openWorkers(
  ctx: Context,
  options: QueuesOptions,
  stopping: AbortSignal,
): Promise<Workers> {
  await using undo = new AsyncDisposableStack();
  const end = endOf(stopping);
  const { url, cluster, logger } = options;
  const open = (
    name: string,
    more: Pick<Parameters<typeof openWorker>[0], "concurrency" | "rateLimit">,
  ) =>
    openWorker<unknown>({
      url,
      cluster,
      name,
      logger,
      backoff: BACKOFF,
      ...more,
      process: (data, { signal, hold }) =>
        take(ctx, data, {
          signal: AbortSignal.any([signal, end]),
          hold: more.rateLimit === undefined ? async () => undefined : hold,
        }),
    });
  const groups = undo.use(await open(GROUPS_QUEUE, { concurrency: GROUPS_AT_ONCE }));
  const all: Work[] = [groups];
  for (const [name, { max, per }] of options.receivers) {
    const rateLimit = { max, periodMs: per };
    all.push(undo.use(await open(queueName(name), { concurrency: SENT_AT_ONCE, rateLimit })));
  }
  undo.move();
  return {
    fault: () => all.map((work) => work.fault()).find((fault) => fault !== undefined),
    lastGroup: groups.lastActive,
    // At once: each may have to wait for what it has in hand.
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((work) => work[Symbol.asyncDispose]()));
    },
  };
}
