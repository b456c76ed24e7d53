import { DeliverPolicy } from "@nats-io/jetstream";
import { RollcastEvent } from "../events.ts";
import type { Nats } from "./connect.ts";
import { EVENT_STREAM } from "./provision.ts";

export type TailOptions = {
  /** Subject filter (`rollcast.v1.*.rollout.failed.>`). */
  readonly filter: string;
  /** Also the events since then (milliseconds since the epoch); undefined: only new ones. */
  readonly since: number | undefined;
  /** Whether to wait for more once everything that is there was told. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
};

/** Events in the order of the stream, for people to look at: an ordered consumer that leaves nothing behind. What is no event of ours is passed over. */
export async function* tailEvents(nats: Nats, options: TailOptions): AsyncGenerator<RollcastEvent> {
  const { filter, since, follow, signal } = options;
  const consumer = await nats.js.consumers.get(EVENT_STREAM, {
    filter_subjects: filter,
    ...(since === undefined
      ? { deliver_policy: DeliverPolicy.New }
      : {
          deliver_policy: DeliverPolicy.StartTime,
          opt_start_time: new Date(since).toISOString(),
        }),
  });
  const { num_pending: there } = await consumer.info();
  if (!follow && there === 0) return;
  const messages = await consumer.consume();
  const stop = () => messages.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const message of messages) {
      const event = RollcastEvent.safeParse(message.json());
      if (event.success) yield event.data;
      if (!follow && message.info.pending === 0) return;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    await messages.close();
  }
}
