import type { ProgressCheck } from "@rollcast/runtime/health/liveness";
import type { Consuming } from "@rollcast/nats/consume";
import type { DeliveryQueues } from "./queue/delivery-queues.ts";
import type { Workers } from "./queue/workers.ts";
import type { Resync } from "./resync/resync.ts";

export type CheckedParts = {
  readonly consumer: Pick<Consuming, "lastHeard" | "inFlightMs">;
  readonly resync: Pick<Resync, "inFlightMs">;
  readonly queues: Pick<DeliveryQueues, "stalledMs">;
  readonly workers: Pick<Workers, "inFlightMs" | "lastActive">;
};

/** The progress checks of a notifier: what must not stall. */
export async function notifierChecks(
  parts: CheckedParts,
  now = Date.now(),
): Promise<ProgressCheck[]> {
  const { consumer, resync, queues, workers } = parts;
  const waiting = Array.from(await queues.stalledMs(), ([receiver, ms]) => ({
    what: `${receiver === "" ? "groups" : `receiver ${receiver}`}: jobs wait and none is started`,
    // Without a worker for this queue here, its jobs belong to another replica.
    ms: Math.min(ms, now - (workers.lastActive(receiver) ?? now)),
  }));
  return [
    { what: "events: nothing received", ms: now - consumer.lastHeard() },
    { what: "events: one is being handled", ms: consumer.inFlightMs() },
    { what: "a resync is running", ms: resync.inFlightMs() },
    { what: "a job is running", ms: workers.inFlightMs() },
    ...waiting,
  ];
}
