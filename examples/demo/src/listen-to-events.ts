import { RollcastEvent } from "@rollcast/shared/events";
import type { Nats } from "@rollcast/nats/connect";

const REMEMBERED = 10_000;

/** Calls `onEvent` for each new event of the cluster until the connection closes. */
export async function listenToEvents(
  nats: Nats,
  cluster: string,
  onEvent: (event: RollcastEvent) => void,
): Promise<void> {
  const subscription = nats.nc.subscribe(`rollcast.v1.${cluster}.>`);
  await nats.nc.flush();
  // A publisher that got no acknowledgement publishes again under the same id. The stream drops the
  // duplicate; a plain subscriber has to do that itself.
  const recentIds = new Set<string>();
  const listen = async () => {
    for await (const msg of subscription) {
      const event = RollcastEvent.safeParse(msg.json());
      if (!event.success || recentIds.has(event.data.id)) continue;
      recentIds.add(event.data.id);
      if (recentIds.size > REMEMBERED) recentIds.delete(recentIds.values().next().value ?? "");
      onEvent(event.data);
    }
  };
  void listen();
}
