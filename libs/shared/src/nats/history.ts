import { RollcastEvent } from "../events.ts";
import type { Nats } from "./connect.ts";
import { EVENT_STREAM } from "./provision.ts";

const AT_ONCE = 64;

/** Every event that the stream holds now, oldest first. Reads message by message, without a consumer: for looks back, not for following. */
export async function readEvents(nats: Nats): Promise<RollcastEvent[]> {
  const { state } = await nats.jsm.streams.info(EVENT_STREAM);
  const events: RollcastEvent[] = [];
  if (state.messages === 0) return events;
  for (let from = state.first_seq; from <= state.last_seq; from += AT_ONCE) {
    const count = Math.min(AT_ONCE, state.last_seq - from + 1);
    const found = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        nats.jsm.streams.getMessage(EVENT_STREAM, { seq: from + i }),
      ),
    );
    for (const message of found) {
      if (message !== null) events.push(RollcastEvent.parse(message.json()));
    }
  }
  return events;
}
