import { cutNames } from "@rollcast/shared/cut";
import type { HealthSources } from "@rollcast/runtime/health/service-health";
import type { Consuming } from "@rollcast/nats/consume";
import { consumerHealth } from "@rollcast/nats/consumer-health";
import type { DeliveryQueues, Workers } from "./queue/delivery-queues.ts";
import type { Circuit } from "./http/circuit.ts";
import type { Resync } from "./resync/resync.ts";

export type CheckedParts = {
  readonly consumer: Pick<Consuming, "lastHeard" | "inFlightMs">;
  readonly resync: Pick<Resync, "inFlightMs" | "unreadable">;
  readonly queues: Pick<DeliveryQueues, "stalledMs">;
  readonly workers: Pick<Workers, "inFlightMs" | "lastActive" | "fault">;
  readonly circuits: () => ReadonlyMap<string, Pick<Circuit, "fault">>;
};

/** A line behind the `ok` of `/readyz` for each receiver that gets nothing now, by its name. */
function receiverNotes(circuits: ReadonlyMap<string, Pick<Circuit, "fault">>): string[] {
  return [...circuits].flatMap(([receiver, { fault }]) => {
    const reason = fault();
    return reason === undefined ? [] : [`receiver ${receiver} gets no messages now: ${reason}`];
  });
}

const MAX_NAMED = 3;

/** A line about the records that nobody can read: what they hold waits until they are removed. */
function recordNotes(keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  return [`records of bucket notify cannot be read, and wait: ${cutNames(keys, MAX_NAMED)}`];
}

/** How the parts of a notifier are. */
export function notifierHealth(parts: CheckedParts, now = Date.now): HealthSources {
  const { consumer, resync, queues, workers, circuits } = parts;
  return {
    events: consumerHealth(consumer, now),
    resync: {
      progress: () => [{ what: "a resync is running", ms: resync.inFlightMs() }],
      notes: () => recordNotes(resync.unreadable()),
    },
    receivers: { notes: () => receiverNotes(circuits()) },
    workers: {
      ready: workers.fault,
      progress: () => [{ what: "a job is running", ms: workers.inFlightMs() }],
    },
    queues: {
      progress: async () =>
        Array.from(await queues.stalledMs(), ([receiver, ms]) => ({
          what: `${receiver === "" ? "groups" : `receiver ${receiver}`}: jobs wait and none is started`,
          // Without a worker for this queue here, its jobs belong to another replica.
          ms: Math.min(ms, now() - (workers.lastActive(receiver) ?? now())),
        })),
    },
  };
}
