import { RollcastEvent } from "@rollcast/shared/events";
import type { Nats } from "@rollcast/nats/connect";

const REMEMBERED = 10_000;

/** Calls back for each event of the cluster from now on, until the connection ends. */
export async function listenToEvents(
  nats: Nats,
  cluster: string,
  onEvent: (event: RollcastEvent) => void,
): Promise<void> {
  const subscription = nats.nc.subscribe(`rollcast.v1.${cluster}.>`);
  await nats.nc.flush();
  // A publisher that was not sure sends again under the same id: the stream drops that, a plain subscriber has to do it itself.
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
