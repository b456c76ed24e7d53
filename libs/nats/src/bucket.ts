import { setTimeout as sleep } from "node:timers/promises";
import { DeliverPolicy } from "@nats-io/jetstream";
import type { Consumer, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import type { KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/transport-node";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Nats } from "./connect.ts";
import type { Bucket } from "./streams.ts";

/** A present value as it lies in a bucket. */
export type Stored = {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly revision: number;
};

const HEARTBEAT_MS = 1_000;
const REOPEN = { initial: 200, max: 5_000 };

function isRemoval(msg: JsMsg): boolean {
  const operation = msg.headers?.get("KV-Operation");
  return operation === "DEL" || operation === "PURGE" || msg.data.length === 0;
}

/**
 * Ends `messages` with an error where the connection is lost: what was pending then is not known
 * any more.
 */
function endOnDisconnect(nats: Nats, messages: ConsumerMessages): Disposable {
  const status = nats.nc.status();
  const follow = async () => {
    for await (const { type } of status) {
      if (type === "disconnect") messages.stop(new Error("the connection was lost meanwhile"));
    }
  };
  follow().catch(() => undefined);
  return {
    [Symbol.dispose]() {
      // Typed as any iterable, but its own end is what takes it from the connection's listeners.
      (status as QueuedIterator<unknown>).stop();
    },
  };
}

/**
 * Ends `messages` where nothing comes because nothing is left: a value that was counted may have
 * been removed meanwhile.
 */
async function endWhenIdle(consumer: Consumer, messages: ConsumerMessages): Promise<void> {
  for await (const { type } of messages.status()) {
    if (type !== "heartbeat") continue;
    const info = await consumer.info().catch(() => undefined);
    if (info?.num_pending === 0) messages.stop();
  }
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
): AsyncGenerator<Stored> {
  const prefix = `$KV.${bucket}.`;
  const consumer = await nats.js.consumers.get(`KV_${bucket}`, {
    filter_subjects: `${prefix}${filter}`,
    deliver_policy: DeliverPolicy.LastPerSubject,
  });
  try {
    const { num_pending: present } = await consumer.info(true);
    if (present === 0) return;
    const messages = await consumer.consume({ max_messages: 500, idle_heartbeat: HEARTBEAT_MS });
    using _connection = endOnDisconnect(nats, messages);
    endWhenIdle(consumer, messages).catch(() => undefined);
    for await (const msg of messages) {
      const { subject, data, seq, info } = msg;
      if (!isRemoval(msg)) yield { key: subject.slice(prefix.length), bytes: data, revision: seq };
      if (info.pending === 0) return;
    }
  } finally {
    const deleting = consumer.delete().catch(() => false);
    // It ends by itself after a while: nobody waits for it in an outage.
    if (nats.fault() === undefined) await deleting;
  }
}

export type Watching = {
  bucket: Bucket;
  open: () => Promise<QueuedIterator<KvWatchEntry>>;
  signal: AbortSignal;
  /** `bytes` undefined: removed. */
  onUpdate: (key: string, bytes: Uint8Array | undefined, revision: number) => void;
  onGap: () => void;
  onOpen: (() => void) | undefined;
};

/**
 * One subscription, until the signal fires, or the connection was lost and is back; throws where it
 * ends by itself or is not to be had.
 */
async function watchOnce(nats: Nats, options: Watching, isFirst: boolean): Promise<void> {
  const { signal } = options;
  const ended = Promise.withResolvers<undefined>();
  const end = () => ended.resolve(undefined);
  signal.addEventListener("abort", end, { once: true });
  // The subscription would mend itself, but only after some time without heartbeats.
  const off = nats.onReconnect(end);
  const opening = options.open();
  ended.promise.then(() => opening.then((late) => late.stop())).catch(() => undefined);
  try {
    const updates = await Promise.race([opening, ended.promise]);
    if (updates === undefined || signal.aborted) return;
    options.onOpen?.();
    if (!isFirst) options.onGap();
    for await (const { key, operation, value, revision } of updates) {
      if (signal.aborted) return;
      const removed = operation !== "PUT" || value.length === 0;
      options.onUpdate(key, removed ? undefined : value, revision);
    }
    const wanted = await Promise.race([ended.promise.then(() => true), false]);
    if (!wanted) throw new Error("the subscription ended by itself");
  } finally {
    end();
    off();
    signal.removeEventListener("abort", end);
  }
}

/**
 * Watches a bucket until `signal` fires, with a subscription that is opened again where it ends,
 * each time with a call of `onGap`.
 */
export async function keepWatching(nats: Nats, options: Watching): Promise<void> {
  const { bucket, signal } = options;
  let isFirst = true;
  for (let failures = 0; !signal.aborted;) {
    try {
      if (failures > 0) await sleep(backoffDelay(REOPEN, failures), undefined, { signal });
      await watchOnce(nats, options, isFirst);
      failures = 0;
    } catch (err) {
      failures += 1;
      if (!signal.aborted) nats.logger.warn({ err, bucket }, "bucket watch ended");
    }
    isFirst = false;
  }
}
