import type { RedisIdentity } from "@rollcast/queue/redis-access";
import type { Work } from "@rollcast/queue/worker";
import type { Queue } from "@rollcast/shared/config/queues";
import { firstFailure } from "@rollcast/runtime/health/liveness";
import type { Logger } from "@rollcast/runtime/logger";
import type { Admission } from "../admission/admission.ts";
import type { ReconcileResult } from "../reconcile/reconcile.ts";
import { openRolloutWorker, openRolloutQueue } from "./rollout-queue.ts";
import type { RolloutQueue } from "./rollout-queue.ts";
import type { Attempt } from "../rollout/attempt.ts";
import { splitKey } from "../model/workload.ts";
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

export type RolloutQueuesOptions = {
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
