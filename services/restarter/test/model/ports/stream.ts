import { setTimeout as sleep } from "node:timers/promises";
import type { OutboxEvent } from "../../../src/model/workload-record.ts";
import type { Gate } from "./gate.ts";
import type { Outage } from "./bucket.ts";

/** The stream of events: an id that it has is not stored again within its window. */
export type Stream = {
  publish(gate: Gate, event: OutboxEvent): Promise<void>;
};

const DUPLICATES_MS = 5 * 60_000;
const RETRY_MS = 500;

export type StreamOptions = {
  readonly now: () => number;
  readonly outage: Outage;
  readonly onEvent: (event: OutboxEvent, duplicate: boolean) => void;
};

export function createStream({ now, outage, onEvent }: StreamOptions): Stream {
  const ids = new Map<string, number>();
  const store = (event: OutboxEvent) => {
    const at = ids.get(event.id);
    const duplicate = at !== undefined && now() - at < DUPLICATES_MS;
    if (!duplicate) ids.set(event.id, now());
    onEvent(event, duplicate);
  };
  return {
    async publish(gate, event) {
      // As `publish` of libs/nats: again until the stream has acknowledged it.
      for (;;) {
        try {
          await gate.enter({
            kind: "publish",
            what: `publish ${event.outcome}`,
            perform() {
              if (outage.isOn) throw new Error("TIMEOUT");
              store(event);
            },
            lost: () => new Error("TIMEOUT"),
          });
          return;
        } catch {
          await sleep(RETRY_MS);
        }
      }
    },
  };
}
