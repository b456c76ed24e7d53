import type { Work } from "@rollcast/queue/worker";
import type { ProgressCheck } from "@rollcast/runtime/health/liveness";
import type { Consuming } from "@rollcast/nats/consume";
import type { Resync } from "./reconcile/resync.ts";
import type { RolloutQueue } from "./queue/rollout-queue.ts";
import type { WatchedKinds } from "./index/kinds.ts";

/** A queue and the worker of this replica. */
export type QueueWorker = {
  readonly queue: Pick<RolloutQueue, "queue" | "stalledMs">;
  readonly work: Pick<Work, "lastActive" | "inFlightMs">;
};

export type CheckedParts = {
  readonly kinds: Pick<WatchedKinds, "progressChecks">;
  readonly consuming: Pick<Consuming, "lastHeard" | "inFlightMs">;
  readonly resync: Pick<Resync, "inFlightMs">;
  readonly worked: readonly QueueWorker[];
};

async function checksOf({ queue, work }: QueueWorker, now: number): Promise<ProgressCheck[]> {
  const idle = Math.min(await queue.stalledMs(), now - work.lastActive());
  return [
    { what: `queue ${queue.queue}: a job is running`, ms: work.inFlightMs() },
    { what: `queue ${queue.queue}: jobs wait and none is started`, ms: idle },
  ];
}

/** What must not stall in a restarter. */
export async function restarterChecks(
  parts: CheckedParts,
  now = Date.now(),
): Promise<ProgressCheck[]> {
  const { kinds, consuming, resync, worked } = parts;
  const queues = await Promise.all(worked.map((entry) => checksOf(entry, now)));
  return [
    ...kinds.progressChecks(),
    { what: "events: nothing received", ms: now - consuming.lastHeard() },
    { what: "events: one is being handled", ms: consuming.inFlightMs() },
    { what: "a resync is running", ms: resync.inFlightMs() },
    ...queues.flat(),
  ];
}
