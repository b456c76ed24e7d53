import type { OutboxEvent } from "../../../src/model/workload-record.ts";
import type { Gate } from "../world/gate.ts";

/** The stream of events: an id that it has is not stored again within its window. */
export type Stream = {
  publish(gate: Gate, event: OutboxEvent): Promise<void>;
};

const DUPLICATES_MS = 5 * 60_000;
const RETRY_ATTEMPTS = 3;

export function createStream(
  now: () => number,
  onEvent: (event: OutboxEvent, duplicate: boolean) => void,
): Stream {
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
      for (let attempt = 1; ; attempt++) {
        try {
          await gate.enter({
            kind: "publish",
            what: `publish ${event.outcome}`,
            perform: () => store(event),
            lost: () => new Error("TIMEOUT"),
          });
          return;
        } catch (err) {
          if (attempt === RETRY_ATTEMPTS) throw err;
        }
      }
    },
  };
}
