import { DeliverPolicy } from "@nats-io/jetstream";
import type { Consumer, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import type { QueuedIterator } from "@nats-io/transport-node";
import type { Nats } from "./connect.ts";
import { rejectOnReconnect } from "./reject-on-reconnect.ts";
import type { Bucket } from "./streams.ts";

/** A write as it lies in a bucket; `bytes` undefined: removed. */
export type Stored = {
  readonly key: string;
  readonly bytes: Uint8Array | undefined;
  readonly revision: number;
};

/** The present values of a bucket, oldest write first, then each later write. */
export type Subscription = AsyncDisposable & {
  /** Ends with an error where a write may be missing: the connection or the consumer was lost. */
  readonly messages: ConsumerMessages;
  /** There was nothing present when it began. */
  readonly isEmpty: boolean;
  storedOf(msg: JsMsg): Stored;
  /**
   * Calls back where nothing comes because nothing is left, with how many messages came: a value
   * that was counted as present may have been removed meanwhile. Ends when the callback returns
   * true.
   */
  onIdle(callback: (delivered: number) => boolean): void;
};

const HEARTBEAT_MS = 1_000;
/**
 * The client makes a consumer that was lost again and goes on after the last revision: in a bucket
 * that was recreated or restored that is another one, and what was written before it is missing.
 */
const LOST = new Set(["reset", "consumer_deleted", "consumer_not_found", "stream_not_found"]);

function bytesOf({ headers, data }: JsMsg): Uint8Array | undefined {
  const operation = headers?.get("KV-Operation");
  const isRemoval = operation === "DEL" || operation === "PURGE" || data.length === 0;
  return isRemoval ? undefined : data;
}

async function endOnDisconnect(
  status: AsyncIterable<{ type: string }>,
  messages: ConsumerMessages,
) {
  for await (const { type } of status) {
    if (type === "disconnect") messages.stop(new Error("the connection was lost meanwhile"));
  }
}

async function endOnLoss(messages: ConsumerMessages): Promise<void> {
  for await (const { type } of messages.status()) {
    if (LOST.has(type)) messages.stop(new Error(`the subscription was lost (${type})`));
  }
}

async function callOnIdle(
  consumer: Consumer,
  messages: ConsumerMessages,
  callback: (delivered: number) => boolean,
): Promise<void> {
  for await (const { type } of messages.status()) {
    if (type !== "heartbeat") continue;
    const info = await consumer.info().catch(() => undefined);
    if (info?.num_pending === 0 && callback(info.delivered.consumer_seq)) return;
  }
}

/**
 * Subscribes to the keys of a bucket that match `filter`. Pulled, so that a slow reader is not
 * overrun. Throws where the connection is lost meanwhile.
 */
export async function subscribe(nats: Nats, bucket: Bucket, filter: string): Promise<Subscription> {
  const opening = openSubscription(nats, bucket, filter);
  try {
    return await rejectOnReconnect(nats, () => opening);
  } catch (err) {
    opening.then((late) => late[Symbol.asyncDispose]()).catch(() => undefined);
    throw err;
  }
}

async function openSubscription(nats: Nats, bucket: Bucket, filter: string): Promise<Subscription> {
  const prefix = `$KV.${bucket}.`;
  await using stack = new AsyncDisposableStack();
  const consumer = await nats.js.consumers.get(`KV_${bucket}`, {
    filter_subjects: `${prefix}${filter}`,
    deliver_policy: DeliverPolicy.LastPerSubject,
  });
  stack.defer(async () => {
    const deleting = consumer.delete().catch(() => false);
    // It ends by itself after a while: nobody waits for it in an outage.
    if (nats.fault() === undefined) await deleting;
  });
  const { num_pending: present } = await consumer.info(true);
  const messages = await consumer.consume({ max_messages: 500, idle_heartbeat: HEARTBEAT_MS });
  stack.defer(() => messages.stop());
  const status = nats.nc.status();
  // Typed as any iterable, but its own end is what takes it from the connection's listeners.
  stack.defer(() => (status as QueuedIterator<unknown>).stop());
  endOnDisconnect(status, messages).catch(() => undefined);
  endOnLoss(messages).catch(() => undefined);
  const kept = stack.move();
  return {
    messages,
    isEmpty: present === 0,
    storedOf: (msg) => ({
      key: msg.subject.slice(prefix.length),
      bytes: bytesOf(msg),
      revision: msg.seq,
    }),
    onIdle: (callback) => void callOnIdle(consumer, messages, callback).catch(() => undefined),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/**
 * Every present value of a bucket whose key matches `filter`, oldest write first; one that is
 * written meanwhile may come twice, the newer one last. Throws where the connection is lost
 * meanwhile.
 */
export async function* readBucket(
  nats: Nats,
  bucket: Bucket,
  filter: string,
): AsyncGenerator<Stored & { readonly bytes: Uint8Array }> {
  await using subscription = await subscribe(nats, bucket, filter);
  const { messages, isEmpty, storedOf, onIdle } = subscription;
  if (isEmpty) return;
  onIdle(() => {
    messages.stop();
    return true;
  });
  for await (const msg of messages) {
    const { key, bytes, revision } = storedOf(msg);
    if (bytes !== undefined) yield { key, bytes, revision };
    if (msg.info.pending === 0) return;
  }
}
