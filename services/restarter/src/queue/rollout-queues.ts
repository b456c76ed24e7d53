import type { RedisIdentity } from "@rollcast/queue/redis-access";
import { openWorker } from "@rollcast/queue/worker";
import type { Work } from "@rollcast/queue/worker";
import type { Queue, Queue as QueueConfig } from "@rollcast/shared/config/queues";
import { firstFailure } from "@rollcast/runtime/health/liveness";
import type { Logger } from "@rollcast/runtime/logger";
import { z } from "zod";
import { openQueue } from "@rollcast/queue/job-queue";
import { carried } from "@rollcast/runtime/trace";
import type { Admission } from "../admission/admission.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";
import type { Attempt } from "../rollout/roll.ts";
import { splitKey, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** The queues of rollouts, each with its own jobs and workers. */
export type RolloutQueues = AsyncDisposable & {
  /** The queue of a workload's jobs; `default` if the workload is gone. */
  of(workload: Workload | undefined): RolloutQueue;
  all(): readonly RolloutQueue[];
  fault(): string | undefined;
  /** Like `fault`, but pings Redis. */
  probe(): Promise<string | undefined>;
  /** Sets every queue's limits to the present settings; only changed limits cost a request. */
  applySettings(): Promise<void>;
  /** Starts processing the jobs, until `stack` is disposed. */
  work(
    stack: AsyncDisposableStack,
    roll: (key: WorkloadKey, attempt: Attempt) => Promise<ReconcileResult>,
  ): Promise<{ readonly queue: RolloutQueue; readonly work: Work }[]>;
  /** Enqueues a job for what remains. */
  requeue(key: WorkloadKey, left: ReconcileResult): Promise<void>;
};

type RolloutQueuesOptions = {
  readonly redis: RedisIdentity;
  readonly cluster: string;
  readonly queues: readonly Queue[];
  readonly admission: Admission;
  readonly workload: (key: WorkloadKey) => Workload | undefined;
  readonly logger: Logger;
  /** More concurrency in one process would only wait for a connection. */
  readonly maxConcurrency: number;
};

type Opened = { readonly name: string; readonly queue: RolloutQueue; limits: string; work?: Work };

export async function openRolloutQueues(options: RolloutQueuesOptions): Promise<RolloutQueues> {
  const { admission, queues, logger } = options;
  await using stack = new AsyncDisposableStack();
  const opened = new Map<string, Opened>();
  const optionsOf = (config: Queue) => ({
    ...options.redis,
    cluster: options.cluster,
    config,
    logger,
  });
  for (const config of queues) {
    const queue = stack.use(await openRolloutQueue(optionsOf(config)));
    opened.set(config.name, { name: config.name, queue, limits: "" });
  }
  const setLimits = async (entry: Opened) => {
    const { concurrency, rateLimit } = admission.settings(entry.name);
    const limits = JSON.stringify({ concurrency, rateLimit });
    if (limits === entry.limits) return;
    await entry.queue.limit(rateLimit === undefined ? { concurrency } : { concurrency, rateLimit });
    entry.work?.setConcurrency(Math.min(concurrency, options.maxConcurrency));
    entry.limits = limits;
    logger.info({ queue: entry.name, concurrency, rateLimit }, "queue limits set");
  };
  const byWorkload = (workload: Workload | undefined) => {
    const entry = opened.get(workload === undefined ? "default" : admission.queueOf(workload));
    if (entry === undefined) throw new Error("workload is assigned to an unknown queue");
    return entry.queue;
  };
  const requeue = async (key: WorkloadKey, { requeueAt }: ReconcileResult) => {
    if (requeueAt === undefined) return;
    await byWorkload(options.workload(key)).enqueueAt(splitKey(key), requeueAt);
  };
  const all = () => [...opened.values()];
  await Promise.all(all().map(setLimits));
  const kept = stack.move();
  return {
    of: byWorkload,
    all: () => all().map(({ queue }) => queue),
    fault: () =>
      all()
        .map(({ queue }) => queue.fault())
        .find((fault) => fault !== undefined),
    probe: () => firstFailure(all().map(({ queue }) => queue.probe())),
    requeue,
    async applySettings() {
      await Promise.all(all().map(setLimits));
    },
    async work(until, roll) {
      const worked: { queue: RolloutQueue; work: Work }[] = [];
      for (const config of queues) {
        const entry = opened.get(config.name);
        if (entry === undefined) continue;
        const work = await openRolloutWorker(optionsOf(config), async (key, attempt) => {
          const workload = options.workload(key);
          const queue = byWorkload(workload);
          // The workload is in another queue now: its job is forwarded there.
          if (workload !== undefined && queue !== entry.queue) await queue.enqueueNow(workload);
          else await requeue(key, await roll(key, attempt));
        });
        until.use(work);
        worked.push({ queue: entry.queue, work });
        entry.work = work;
        work.setConcurrency(
          Math.min(admission.settings(config.name).concurrency, options.maxConcurrency),
        );
      }
      return worked;
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

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
  /**
   * Enqueues a job for `at`, milliseconds since the epoch, unless there is one: that may wait for
   * its retry, for as long as the API server has asked for.
   */
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
type JobLimits = Pick<QueueConfig, "concurrency" | "rateLimit">;

type RolloutQueueOptions = RedisIdentity & {
  cluster: string;
  config: QueueConfig;
  logger: Logger;
};

async function openRolloutQueue(options: RolloutQueueOptions): Promise<RolloutQueue> {
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
    enqueueAt: (ref, at) => add(ref, Math.max(0, at - Date.now()), false),
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
function openRolloutWorker(
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
