import { AckPolicy, DeliverPolicy, JetStreamApiError } from "@nats-io/jetstream";
import type { Consumer } from "@nats-io/jetstream";
import type { Nats } from "./connect.ts";
import { EVENT_STREAM } from "./streams.ts";
import type { ConsumeOptions } from "./consume.ts";

/**
 * How long the events of a replica that was killed wait; those in flight are renewed well within
 * it.
 */
const ACK_WAIT_MS = 15_000;
/** JetStream's answer where the durable exists with other settings. */
const EXISTS_DIFFERENT = 10_148;

function startOf<T>({ from = "new" }: ConsumeOptions<T>) {
  if (from === "all") return { deliver_policy: DeliverPolicy.All };
  if (from === "new") return { deliver_policy: DeliverPolicy.New };
  const time = new Date(Date.now() - from.lastMs).toISOString();
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: time };
}

export async function ensureConsumer<T>(nats: Nats, options: ConsumeOptions<T>): Promise<Consumer> {
  const { durable, filter } = options;
  const { consumers } = nats.jsm;
  const settings = {
    filter_subject: filter,
    ack_wait: ACK_WAIT_MS * 1_000_000,
    // What cannot be handled is put into the dead letters by us, with its reason: the server must
    // never give up by itself.
    max_deliver: -1,
    max_ack_pending: 1_000,
  };
  try {
    await consumers.add(EVENT_STREAM, {
      ...settings,
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      ...startOf(options),
    });
  } catch (err) {
    if (!(err instanceof JetStreamApiError && err.code === EXISTS_DIFFERENT)) throw err;
    // Made by another replica, an earlier start or another version: where it begins cannot be
    // changed, and its place in the stream is kept.
    await consumers.update(EVENT_STREAM, durable, settings);
  }
  return nats.js.consumers.get(EVENT_STREAM, durable);
}
