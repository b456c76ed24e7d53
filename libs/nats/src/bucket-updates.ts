import { setTimeout as sleep } from "node:timers/promises";
import type { KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/transport-node";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Nats } from "./connect.ts";
import type { Bucket } from "./streams.ts";

const REOPEN = { initial: 200, max: 5_000 };

type Watching = {
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
export async function keepUpdating(nats: Nats, options: Watching): Promise<void> {
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
