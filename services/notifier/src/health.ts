import type { ProgressCheck } from "@rollcast/runtime/health/liveness";
import type { Consuming } from "@rollcast/nats/consume";
import type { DeliveryQueues } from "./queue/delivery-queues.ts";
import type { Workers } from "./queue/workers.ts";
import type { Resync } from "./resync/resync.ts";

export type Parts = {
  readonly consuming: Pick<Consuming, "lastHeard" | "inFlightMs">;
  readonly resync: Pick<Resync, "inFlightMs">;
  readonly queues: Pick<DeliveryQueues, "standing">;
  readonly workers: Pick<Workers, "inFlightMs" | "lastActive">;
};

/** What must not stand still for long in a notifier. */
export async function notifierChecks(parts: Parts, now = Date.now()): Promise<ProgressCheck[]> {
  const { consuming, resync, queues, workers } = parts;
  const waiting = Array.from(await queues.standing(), ([receiver, ms]) => ({
    what: `${receiver === "" ? "groups" : `receiver ${receiver}`}: turns wait and none is taken`,
    // Without a worker of its own here, it is for another replica.
    ms: Math.min(ms, now - (workers.lastActive(receiver) ?? now)),
  }));
  return [
    { what: "events: nothing heard", ms: now - consuming.lastHeard() },
    { what: "events: one is in hand", ms: consuming.inFlightMs() },
    { what: "the sweep is in hand", ms: resync.inFlightMs() },
    { what: "a turn is in hand", ms: workers.inFlightMs() },
    ...waiting,
  ];
}
