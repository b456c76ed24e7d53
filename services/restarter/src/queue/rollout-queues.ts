import type { RedisIdentity } from "@rollcast/queue/access";
import type { Work } from "@rollcast/queue/worker";
import type { Queue } from "@rollcast/shared/config/queues";
import { firstFault } from "@rollcast/runtime/health/liveness";
import type { Logger } from "@rollcast/runtime/logger";
import { clock } from "../clock.ts";
import type { GateKeeper } from "../admission/admission.ts";
import type { Settled } from "../reconcile/reconcile.ts";
import { openRoller, openTurns } from "./rollout-queue.ts";
import type { Turns } from "./rollout-queue.ts";
import type { Attempt } from "../rollout/attempt.ts";
import { splitKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** The queues of rollouts, each with its own turns and workers. */
export type Queues = AsyncDisposable & {
  /** The turns of the queue that a workload is in; of `default` where it is gone. */
  of(workload: Workload | undefined): Turns;
  all(): readonly Turns[];
  fault(): string | undefined;
  /** The same, and Redis is asked. */
  probe(): Promise<string | undefined>;
  /** Sets every queue's limits to what the gates say now; only what is others than before costs a request. */
  retune(): Promise<void>;
  /** Begins to work the turns off, until `stack` is disposed. */
  work(
    stack: AsyncDisposableStack,
    roll: (key: WorkloadKey, attempt: Attempt) => Promise<Settled>,
  ): Promise<{ readonly turns: Turns; readonly work: Work }[]>;
  /** A turn for what was found to be due, at the end of its window. */
  takeLeft(key: WorkloadKey, left: Settled): Promise<void>;
};

export type QueuesOptions = {
  readonly redis: RedisIdentity;
  readonly cluster: string;
  readonly queues: readonly Queue[];
  readonly gates: GateKeeper;
  readonly workload: (key: WorkloadKey) => Workload | undefined;
  readonly logger: Logger;
  /** More at once in one process would only wait for a connection. */
  readonly maxConcurrency: number;
};

type Opened = { readonly name: string; readonly turns: Turns; limits: string; work?: Work };

export async function openQueues(options: QueuesOptions): Promise<Queues> {
  const { gates, queues, logger } = options;
  await using stack = new AsyncDisposableStack();
  const opened = new Map<string, Opened>();
  const optionsOf = (config: Queue) => ({
    ...options.redis,
    cluster: options.cluster,
    config,
    logger,
  });
  for (const config of queues) {
    const turns = stack.use(await openTurns(optionsOf(config)));
    opened.set(config.name, { name: config.name, turns, limits: "" });
  }
  const tune = async (one: Opened) => {
    const { concurrency, rateLimit } = gates.settings(one.name);
    const limits = JSON.stringify({ concurrency, rateLimit });
    if (limits === one.limits) return;
    await one.turns.limit(rateLimit === undefined ? { concurrency } : { concurrency, rateLimit });
    one.work?.setConcurrency(Math.min(concurrency, options.maxConcurrency));
    one.limits = limits;
    logger.info({ queue: one.name, concurrency, rateLimit }, "queue limits set");
  };
  const byWorkload = (workload: Workload | undefined) => {
    const found = opened.get(workload === undefined ? "default" : gates.queueOf(workload));
    if (found === undefined) throw new Error("a workload is in a queue that is not configured");
    return found.turns;
  };
  const takeLeft = async (key: WorkloadKey, left: Settled) => {
    const workload = options.workload(key);
    if (left.roll) await byWorkload(workload).takeSince(splitKey(key), left.since, clock());
  };
  const all = () => [...opened.values()];
  await Promise.all(all().map(tune));
  const kept = stack.move();
  return {
    of: byWorkload,
    all: () => all().map(({ turns }) => turns),
    fault: () =>
      all()
        .map(({ turns }) => turns.fault())
        .find((fault) => fault !== undefined),
    probe: () => firstFault(all().map(({ turns }) => turns.probe())),
    takeLeft,
    async retune() {
      await Promise.all(all().map(tune));
    },
    async work(until, roll) {
      const worked: { turns: Turns; work: Work }[] = [];
      for (const config of queues) {
        const one = opened.get(config.name);
        if (one === undefined) continue;
        const work = await openRoller(optionsOf(config), async (key, attempt) => {
          const workload = options.workload(key);
          const turns = byWorkload(workload);
          // Put into another queue since: its turn comes there.
          if (workload !== undefined && turns !== one.turns) await turns.takeNow(workload);
          else await takeLeft(key, await roll(key, attempt));
        });
        until.use(work);
        worked.push({ turns: one.turns, work });
        one.work = work;
        work.setConcurrency(
          Math.min(gates.settings(config.name).concurrency, options.maxConcurrency),
        );
      }
      return worked;
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
