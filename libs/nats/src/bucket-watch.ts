import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "@rollcast/async/backoff";
import { subscribe } from "./bucket.ts";
import type { Stored } from "./bucket.ts";
import type { Nats } from "./connect.ts";
import type { Bucket } from "./streams.ts";

export type Watching = {
  readonly bucket: Bucket;
  readonly filter: string;
  readonly signal: AbortSignal;
  /**
   * A subscription is about to begin, at first or after the last one ended: whatever was reported
   * before, the server may have less or older values now.
   */
  readonly onStart?: () => void;
  readonly onUpdate: (update: Stored) => void;
  /** Every value that was present at the start was reported. */
  readonly onSynced: () => void;
  /** A subscription begins anew after so many milliseconds at the latest; default 10 minutes. */
  readonly relistMs?: number;
};

const RELIST_MS = 600_000;
const RETRY = { initial: 200, max: 5_000 };

/**
 * One subscription, until the signal fires or `relistMs` have passed; throws where a write may be
 * missing, or it is not to be had.
 */
async function watchOnce(nats: Nats, watching: Watching): Promise<void> {
  const { bucket, filter, signal, relistMs = RELIST_MS, onUpdate, onSynced } = watching;
  await using subscription = await subscribe(nats, bucket, filter);
  const { messages, isEmpty, storedOf, onIdle } = subscription;
  let isOver = signal.aborted;
  if (isOver) return;
  const end = () => {
    isOver = true;
    messages.stop();
  };
  signal.addEventListener("abort", end, { once: true });
  // The replicas do not list at once.
  const timer = setTimeout(end, relistMs * (0.75 + Math.random() / 2));
  try {
    let isSynced = isEmpty;
    let reported = 0;
    if (isSynced) onSynced();
    const syncIf = (isComplete: boolean): boolean => {
      if (isSynced || !isComplete) return isSynced;
      isSynced = true;
      onSynced();
      return true;
    };
    onIdle((delivered) => syncIf(delivered === reported));
    for await (const msg of messages) {
      if (isOver) return;
      onUpdate(storedOf(msg));
      reported += 1;
      syncIf(msg.info.pending === 0);
    }
    if (!isOver) throw new Error("the subscription ended by itself");
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

/** Waits before the next try: in an outage until the connection is back. Ends with the signal. */
async function pause(nats: Nats, failures: number, signal: AbortSignal): Promise<void> {
  if (nats.fault() === undefined) {
    await sleep(backoffDelay(RETRY, failures), undefined, { signal }).catch(() => undefined);
    return;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  const off = nats.onReconnect(end);
  signal.addEventListener("abort", end, { once: true });
  await promise;
  off();
  signal.removeEventListener("abort", end);
}

/**
 * Watches a bucket until `signal` fires. The subscription begins anew, from the present values,
 * wherever a write may be missing, and every `relistMs`: a bucket that was emptied reports nothing.
 */
export async function keepWatching(nats: Nats, watching: Watching): Promise<void> {
  const { bucket, signal } = watching;
  let failures = 0;
  const onSynced = () => {
    failures = 0;
    watching.onSynced();
  };
  while (!signal.aborted) {
    // At once, and before the consumer is made: what is written from here on is reported by it.
    watching.onStart?.();
    if (failures > 0 || nats.fault() !== undefined) await pause(nats, failures, signal);
    try {
      await watchOnce(nats, { ...watching, onSynced });
    } catch (err) {
      if (signal.aborted) return;
      failures += 1;
      nats.logger.warn({ err, bucket }, "bucket watch ended");
    }
  }
}
