import { z } from "zod";
import type { Queue as QueueConfig } from "@rollcast/shared/config/schema";
import type { Logger } from "@rollcast/shared/logger";
import { openQueue, openWorker } from "@rollcast/shared/queue";
import type { Work } from "@rollcast/shared/queue";
import type { WorkloadKey } from "./workload.ts";
import { workloadKey } from "./workload.ts";

/** A turn names a workload and nothing else: what is to be done is read when the turn comes. */
const Turn = z.object({ kind: z.string(), namespace: z.string(), name: z.string() });
type Turn = z.infer<typeof Turn>;

/** The queue of rollouts. */
export type Turns = AsyncDisposable & {
  readonly queue: string;
  /**
   * A turn for the workload after the queue's window; turns of one workload inside it are one. With `wake`, a turn that waits for its next try is taken
   * now.
   */
  take(ref: Turn, wake: boolean): Promise<void>;
  /** A turn now, for what has waited already. */
  takeNow(ref: Turn): Promise<void>;
  fault(): string | undefined;
  counts(): Promise<Record<string, number>>;
  onReconnect(listener: () => void): void;
};

export type TurnsOptions = { url: string; cluster: string; config: QueueConfig; logger: Logger };

const ATTEMPTS = 6;
const BACKOFF = { initial: 500, max: 30_000 };

export async function openTurns(options: TurnsOptions): Promise<Turns> {
  const { url, cluster, config, logger } = options;
  const queue = await openQueue<Turn>({ url, cluster, name: `rollout-${config.name}`, logger });
  const add = (ref: Turn, delayMs: number, wake: boolean) => {
    const { kind, namespace, name } = ref;
    const turn = { kind, namespace, name };
    const addOptions = { id: workloadKey(turn), delayMs, attempts: ATTEMPTS };
    return wake ? queue.addAndWake(turn, addOptions) : queue.add(turn, addOptions);
  };
  return {
    queue: config.name,
    take: (ref, wake) => add(ref, config.window, wake),
    takeNow: (ref) => add(ref, 0, true),
    fault: queue.fault,
    counts: queue.counts,
    onReconnect: queue.onReconnect,
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}

/** Works the turns off with `roll`. */
export function openRoller(
  options: TurnsOptions,
  roll: (key: WorkloadKey, attempt: { signal: AbortSignal; lastAttempt: boolean }) => Promise<void>,
): Promise<Work> {
  const { url, cluster, config, logger } = options;
  return openWorker<unknown>({
    url,
    cluster,
    name: `rollout-${config.name}`,
    logger,
    concurrency: config.concurrency,
    backoff: BACKOFF,
    process: async (data, { signal, lastAttempt }) => {
      const turn = Turn.safeParse(data);
      // Redis holds turns only: one that is not of the form is dropped, the sweep knows what is due.
      if (!turn.success)
        logger.error({ queue: config.name }, "turn dropped, it is not of the form");
      else await roll(workloadKey(turn.data), { signal, lastAttempt });
    },
  });
}
