import type { RollcastEvent } from "@rollcast/shared/events";
import type { Received } from "@rollcast/testkit/receiver";

export type StandardBody = {
  type: string;
  timestamp: string;
  data: { id: string; title: string; text: string; events: RollcastEvent[] };
};

export function bodyOf(received: Received): StandardBody {
  return JSON.parse(received.body) as StandardBody;
}

/** Ids of the events that a receiver got, each once. */
export function receivedIds(received: readonly Received[]): Set<string> {
  return new Set(
    received.flatMap((request) => bodyOf(request).data.events.map((event) => event.id)),
  );
}

/** The webhook ids under which a receiver got each event. */
export function webhookIds(received: readonly Received[]): Map<string, Set<string>> {
  const ids = new Map<string, Set<string>>();
  for (const request of received) {
    for (const event of bodyOf(request).data.events) {
      const webhookIdsOfEvent = ids.get(event.id) ?? new Set();
      ids.set(event.id, webhookIdsOfEvent.add(String(request.headers["webhook-id"])));
    }
  }
  return ids;
}
