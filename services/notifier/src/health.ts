import type { Sign } from "@rollcast/runtime/health/liveness";
import type { Consuming } from "@rollcast/nats/consume";
import type { DeliveryQueues } from "./queue/delivery-queues.ts";
import type { Workers } from "./queue/workers.ts";
import type { Resync } from "./resync/resync.ts";

export type Parts = {
  readonly consuming: Pick<Consuming, "lastHeard" | "inHandMs">;
  readonly resync: Pick<Resync, "inHandMs">;
  readonly queues: Pick<DeliveryQueues, "standing">;
  readonly workers: Pick<Workers, "inHandMs" | "lastActive">;
};

/** What must not stand still for long in a notifier. */
export async function notifierChecks(parts: Parts, now = Date.now()): Promise<Sign[]> {
  const { consuming, resync, queues, workers } = parts;
  const waiting = Array.from(await queues.standing(), ([receiver, ms]) => ({
    what: `${receiver === "" ? "groups" : `receiver ${receiver}`}: turns wait and none is taken`,
    // Without a worker of its own here, it is for another replica.
    ms: Math.min(ms, now - (workers.lastActive(receiver) ?? now)),
  }));
  return [
    { what: "events: nothing heard", ms: now - consuming.lastHeard() },
    { what: "events: one is in hand", ms: consuming.inHandMs() },
    { what: "the sweep is in hand", ms: resync.inHandMs() },
    { what: "a turn is in hand", ms: workers.inHandMs() },
    ...waiting,
  ];
}
