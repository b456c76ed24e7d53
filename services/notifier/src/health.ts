import type { Sign } from "@rollcast/runtime/health/liveness";
import type { Consuming } from "@rollcast/nats/consume";
import type { Queues } from "./queue/delivery-queues.ts";
import type { Workers } from "./queue/workers.ts";
import type { Resync } from "./resync/resync.ts";

export type CheckedParts = {
  readonly consumer: Pick<Consuming, "lastHeard" | "inHandMs">;
  readonly resync: Pick<Resync, "inFlightMs">;
  readonly queues: Pick<Queues, "stalledMs">;
  readonly workers: Pick<Workers, "inFlightMs" | "lastActive">;
};

/** What must not stand still for long in a notifier. */
export async function notifierChecks(parts: CheckedParts, now = Date.now()): Promise<Sign[]> {
  const { consumer, resync, queues, workers } = parts;
  const waiting = Array.from(await queues.stalledMs(), ([receiver, ms]) => ({
    what: `${receiver === "" ? "groups" : `receiver ${receiver}`}: turns wait and none is taken`,
    // Without a worker of its own here, it is for another replica.
    ms: Math.min(ms, now - (workers.lastActive(receiver) ?? now)),
  }));
  return [
    { what: "events: nothing heard", ms: now - consumer.lastHeard() },
    { what: "events: one is in hand", ms: consumer.inHandMs() },
    { what: "the sweep is in hand", ms: resync.inFlightMs() },
    { what: "a turn is in hand", ms: workers.inFlightMs() },
    ...waiting,
  ];
}
