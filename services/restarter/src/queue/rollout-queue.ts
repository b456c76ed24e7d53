import { z } from "zod";
import type { RedisIdentity } from "@rollcast/queue/access";
import { openQueue } from "@rollcast/queue/open";
import { openWorker } from "@rollcast/queue/worker";
import type { Work } from "@rollcast/queue/worker";
import type { Queue as QueueConfig } from "@rollcast/shared/config/queues";
import type { Logger } from "@rollcast/runtime/logger";
import { carried } from "@rollcast/runtime/trace";
import type { Attempt } from "../rollout/attempt.ts";
import type { WorkloadKey } from "../model/workload.ts";
import { workloadKey } from "../model/workload.ts";

/** A turn names a workload: what is to be done is read when the turn comes. */
const Job = z.object({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** W3C trace context of what asked for it. */
  traceparent: z.string().optional(),
});
type Job = z.infer<typeof Job>;

/** The queue of rollouts. */
export type RolloutQueue = AsyncDisposable & {
  readonly queue: string;
  /**
   * A turn for the workload after the queue's window; turns of one workload inside it are one. With `wake`, a turn that waits for its next try is taken
   * now.
   */
  enqueue(ref: Job, wake: boolean): Promise<void>;
  /** A turn now, for what has waited already. */
  enqueueNow(ref: Job): Promise<void>;
  /**
   * A turn at the end of the window that began at `since`: now where it is over, and where nothing is known of it. Whoever finds a change before its event is
   * handled must not roll it before its time, or a source that never stops changing would roll more than once in a window.
   */
  enqueueAtWindowEnd(ref: Job, since: number | undefined, now: number): Promise<void>;
  fault(): string | undefined;
  /** The same, and Redis is asked. */
  probe(): Promise<string | undefined>;
  /** For how many milliseconds turns are due of which no replica has any in hand, though no limit holds them; else 0. */
  standingMs(): Promise<number>;
  counts(): Promise<Record<string, number>>;
  /** For how many milliseconds the turn that is next has been due. */
  waitedMs(): Promise<number>;
  onReconnect(listener: () => void): void;
  /** What holds over all restarters from now on. */
  limit(limits: Limits): Promise<void>;
};

/** Concurrency and rate. */
export type Limits = Pick<QueueConfig, "concurrency" | "rateLimit">;

export type RolloutQueueOptions = RedisIdentity & {
  cluster: string;
  config: QueueConfig;
  logger: Logger;
};

/** Never more than the window, whatever the clocks of two machines say. */
export function restOfWindow(windowMs: number, since: number | undefined, now: number): number {
  return since === undefined ? 0 : Math.min(windowMs, Math.max(0, since + windowMs - now));
}

export async function openRolloutQueue(options: RolloutQueueOptions): Promise<RolloutQueue> {
  const { config, ...where } = options;
  const queue = await openQueue<Job>({ ...where, name: `rollout-${config.name}` });
  const add = (ref: Job, delayMs: number, wake: boolean) => {
    const { kind, namespace, name } = ref;
    const job = { kind, namespace, name, ...carried() };
    const addOptions = { id: workloadKey(ref), delayMs, attempts: config.attempts };
    return wake ? queue.addAndWake(job, addOptions) : queue.add(job, addOptions);
  };
  return {
    queue: config.name,
    enqueue: (ref, wake) => add(ref, config.window, wake),
    enqueueNow: (ref) => add(ref, 0, true),
    enqueueAtWindowEnd: (ref, since, now) =>
      add(ref, restOfWindow(config.window, since, now), true),
    fault: queue.fault,
    probe: queue.probe,
    standingMs: queue.standingMs,
    counts: queue.counts,
    waitedMs: queue.waitedMs,
    onReconnect: queue.onReconnect,
    limit: queue.limit,
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}

/** Works the turns off with `roll`, one at a time until it is told otherwise. */
export function openRolloutWorker(
  options: RolloutQueueOptions,
  roll: (key: WorkloadKey, attempt: Attempt) => Promise<void>,
): Promise<Work> {
  const { config, ...where } = options;
  const { logger } = options;
  return openWorker<unknown>({
    ...where,
    name: `rollout-${config.name}`,
    concurrency: 1,
    backoff: config.backoff,
    process: async (data, { signal, lastAttempt }) => {
      const job = Job.safeParse(data);
      // Redis holds turns only: one that is not of the form is dropped, the sweep knows what is due.
      if (!job.success) logger.error({ queue: config.name }, "malformed job dropped");
      else {
        const { traceparent } = job.data;
        await roll(workloadKey(job.data), { signal, lastAttempt, traceparent });
      }
    },
  });
}
