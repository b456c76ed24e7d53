import { z } from "zod";
import type { RedisIdentity } from "@rollcast/queue/redis-access";
import { openQueue } from "@rollcast/queue/job-queue";
import { openWorker } from "@rollcast/queue/worker";
import type { Work } from "@rollcast/queue/worker";
import type { Queue as QueueConfig } from "@rollcast/shared/config/queues";
import type { Logger } from "@rollcast/runtime/logger";
import { clock } from "../clock.ts";
import { carried } from "@rollcast/runtime/trace";
import type { Attempt } from "../rollout/attempt.ts";
import type { WorkloadKey } from "../model/workload.ts";
import { workloadKey } from "../model/workload.ts";

/** A job names a workload only: what to do is decided when the job runs. */
const Job = z.object({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** W3C trace context of what enqueued it. */
  traceparent: z.string().optional(),
});
type Job = z.infer<typeof Job>;

/** The queue of rollouts. */
export type RolloutQueue = AsyncDisposable & {
  readonly queue: string;
  /**
   * Enqueues a job after the queue's window; jobs of one workload inside it are merged. With
   * `wake`, a job that waits for its retry runs now.
   */
  enqueue(ref: Job, wake: boolean): Promise<void>;
  /** Enqueues a job now, for a workload that has waited already. */
  enqueueNow(ref: Job): Promise<void>;
  /** Enqueues a job for `at`, milliseconds since the epoch. */
  enqueueAt(ref: Job, at: number): Promise<void>;
  fault(): string | undefined;
  /** Like `fault`, but pings Redis. */
  probe(): Promise<string | undefined>;
  /**
   * How long jobs have been due (ms) while no replica runs any and no limit delays them; else 0.
   */
  stalledMs(): Promise<number>;
  counts(): Promise<Record<string, number>>;
  /** How long the next job has been due (ms). */
  waitedMs(): Promise<number>;
  onReconnect(listener: () => void): void;
  /** Sets the limits for all restarters. */
  limit(limits: JobLimits): Promise<void>;
};

/** Concurrency and rate. */
export type JobLimits = Pick<QueueConfig, "concurrency" | "rateLimit">;

export type RolloutQueueOptions = RedisIdentity & {
  cluster: string;
  config: QueueConfig;
  logger: Logger;
};

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
    enqueueAt: (ref, at) => add(ref, Math.max(0, at - clock()), true),
    fault: queue.fault,
    probe: queue.probe,
    stalledMs: queue.stalledMs,
    counts: queue.counts,
    waitedMs: queue.waitedMs,
    onReconnect: queue.onReconnect,
    limit: queue.limit,
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}

/** Processes the jobs with `roll`, one at a time unless configured otherwise. */
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
      // Redis holds jobs only: a malformed one is dropped, and the resync finds what is due.
      if (!job.success) logger.error({ queue: config.name }, "malformed job dropped");
      else {
        const { traceparent } = job.data;
        await roll(workloadKey(job.data), { signal, lastAttempt, traceparent });
      }
    },
  });
}
