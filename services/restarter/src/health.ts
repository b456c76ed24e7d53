import type { Work } from "@rollcast/queue/worker";
import type { Sign } from "@rollcast/runtime/health/liveness";
import type { Consuming } from "@rollcast/nats/consume";
import type { Resync } from "./reconcile/resync.ts";
import type { RolloutQueue } from "./queue/rollout-queue.ts";
import type { Kinds } from "./index/kinds.ts";

/** A queue and the worker of this replica. */
export type QueueWorker = {
  readonly queue: Pick<RolloutQueue, "queue" | "standingMs">;
  readonly work: Pick<Work, "lastActive" | "inHandMs">;
};

export type CheckedParts = {
  readonly kinds: Pick<Kinds, "signs">;
  readonly consuming: Pick<Consuming, "lastHeard" | "inHandMs">;
  readonly resync: Pick<Resync, "inHandMs">;
  readonly worked: readonly QueueWorker[];
};

async function checksOf({ queue, work }: QueueWorker, now: number): Promise<Sign[]> {
  const idle = Math.min(await queue.standingMs(), now - work.lastActive());
  return [
    { what: `queue ${queue.queue}: a job is running`, ms: work.inHandMs() },
    { what: `queue ${queue.queue}: jobs wait and none is started`, ms: idle },
  ];
}

/** What must not stand still for long in a restarter. */
export async function restarterChecks(parts: CheckedParts, now = Date.now()): Promise<Sign[]> {
  const { kinds, consuming, resync, worked } = parts;
  const queues = await Promise.all(worked.map((one) => checksOf(one, now)));
  return [
    ...kinds.signs(),
    { what: "events: nothing received", ms: now - consuming.lastHeard() },
    { what: "events: one is being handled", ms: consuming.inHandMs() },
    { what: "a resync is running", ms: resync.inHandMs() },
    ...queues.flat(),
  ];
}
