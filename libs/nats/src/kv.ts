import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { KV } from "@nats-io/kv";
import type { z } from "zod";
import { TerminalError } from "@rollcast/shared/errors";
import { backoffDelay } from "@rollcast/async/backoff";
import { readBucket, subscribe } from "./bucket.ts";
import type { Stored } from "./bucket.ts";
import type { Nats } from "./connect.ts";
import { createRecordForm } from "./record-form.ts";
import type { Bucket } from "./streams.ts";

/** A value with the revision that compare-and-set needs. */
export type Entry<T> = { readonly key: string; readonly value: T; readonly revision: number };

/**
 * A bucket of records of one form. Reads go to the leader, so they see every acknowledged write.
 * Every write is a compare-and-set; a lost one returns undefined (read again and decide again). A
 * write that times out may have happened: the next one then loses. Network faults are thrown.
 */
export type Kv<T> = {
  /**
   * The record, or undefined. Throws `TerminalError` (`Unreadable`) where it is not of the
   * form, e.g. of a newer version.
   */
  get(key: string): Promise<Entry<T> | undefined>;
  /**
   * Writes where nothing is; the new revision, or undefined where something was. Throws
   * `TerminalError` (`Unwritable`), here and in `update`, and writes nothing where the record could
   * not be read again.
   */
  create(key: string, value: T): Promise<number | undefined>;
  /** Writes if `revision` is still the newest; returns the new revision, else undefined. */
  update(key: string, value: T, revision: number): Promise<number | undefined>;
  /** Removes where `revision` still is the newest; whether it did. */
  remove(key: string, revision: number): Promise<boolean>;
  /**
   * Every present record, oldest write first; unreadable ones are logged, reported and left out.
   * `filter` is a subject filter of keys (`prod.>`).
   */
  snapshot(filter?: string, onUnreadable?: (key: string) => void): AsyncIterable<Entry<T>>;
  /**
   * Reports every present record and then each later write, on one subscription, until `signal`
   * fires. An unreadable record is logged, and reported as such, or as removed where nobody asks.
   */
  listAndWatch(options: ListWatch<T>): void;
};

export type ListWatch<T> = {
  filter?: string;
  signal: AbortSignal;
  /** `value` undefined: removed. */
  onEntry: (key: string, value: T | undefined, revision: number) => void;
  /** What is there is not of the form, e.g. of a newer version. */
  onUnreadable?: (key: string, revision: number) => void;
} & Pick<Watching, "onStart" | "onSynced" | "relistMs">;

function isConflict(err: unknown): boolean {
  return (
    err instanceof JetStreamApiError &&
    (err.code === JetStreamApiCodes.StreamWrongLastSequence ||
      err.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown)
  );
}

async function orUndefinedOnConflict<R>(write: Promise<R>): Promise<R | undefined> {
  try {
    return await write;
  } catch (err) {
    if (isConflict(err)) return undefined;
    throw err;
  }
}

/** Writes where no record is: where nothing was ever, or where a removal is the newest. */
async function create(kv: KV, key: string, bytes: Uint8Array): Promise<number | undefined> {
  const first = await orUndefinedOnConflict(kv.put(key, bytes, { previousSeq: 0 }));
  if (first !== undefined) return first;
  const entry = await kv.get(key);
  // Gone since: whoever removed the last trace of it, it is for the caller to decide again.
  if (entry === null || (entry.operation === "PUT" && entry.value.length > 0)) return undefined;
  return orUndefinedOnConflict(kv.update(key, bytes, entry.revision));
}

/** Opens a bucket that `provision` made. */
export async function openKv<T>(nats: Nats, bucket: Bucket, schema: z.ZodType<T>): Promise<Kv<T>> {
  const kv: KV = await new Kvm(nats.js).open(bucket, { allow_direct: false });
  const form = createRecordForm(bucket, schema);
  const tryRead = (key: string, bytes: Uint8Array): T | undefined => {
    try {
      return form.readOnce(key, bytes);
    } catch (err) {
      nats.logger.error({ err, key, bucket }, "skipping unreadable record");
      return undefined;
    }
  };
  return {
    async get(key) {
      const entry = await kv.get(key);
      if (entry === null || entry.operation !== "PUT") return undefined;
      // The client decodes it each time it is asked for.
      const bytes = entry.value;
      if (bytes.length === 0) return undefined;
      return { key, value: form.read(key, bytes), revision: entry.revision };
    },
    create: async (key, value) => create(kv, key, form.write(key, value)),
    update: async (key, value, revision) =>
      orUndefinedOnConflict(kv.update(key, form.write(key, value), revision)),
    async remove(key, revision) {
      // The client would remove all that match, and without a look at their revisions.
      if (/[*>]/.test(key)) throw new Error("a key holds no wildcard");
      const done = orUndefinedOnConflict(
        kv.purge(key, { previousSeq: revision, ttl: "1h" }).then(() => true),
      );
      return (await done) ?? false;
    },
    async *snapshot(filter = ">", onUnreadable?: (key: string) => void) {
      for await (const { key, bytes, revision } of readBucket(nats, bucket, filter)) {
        const value = tryRead(key, bytes);
        if (value === undefined) onUnreadable?.(key);
        else yield { key, value, revision };
      }
    },
    listAndWatch({ filter = ">", onEntry, onUnreadable, ...watching }) {
      const onUpdate = ({ key, bytes, revision }: Stored) => {
        const value = bytes === undefined ? undefined : tryRead(key, bytes);
        const isUnreadable = bytes !== undefined && value === undefined;
        if (isUnreadable && onUnreadable !== undefined) onUnreadable(key, revision);
        else onEntry(key, value, revision);
      };
      keepWatching(nats, { bucket, filter, onUpdate, ...watching }).catch((err: unknown) =>
        nats.logger.error({ err, bucket }, "bucket watch failed"),
      );
    },
  };
}

/**
 * The record that was written last of all that `filter` covers, and when, by the server's clock
 * (milliseconds since the epoch); undefined where that was a removal, or is not of the form.
 * Network faults are thrown.
 */
export async function readNewest<T>(
  nats: Nats,
  bucket: Bucket,
  { filter, schema }: { readonly filter: string; readonly schema: z.ZodType<T> },
): Promise<{ readonly value: T; readonly writtenAt: number } | undefined> {
  const query = { last_by_subj: `$KV.${bucket}.${filter}` };
  const message = await nats.jsm.streams.getMessage(`KV_${bucket}`, query);
  if (message === null || message.data.length === 0) return undefined;
  try {
    const value = createRecordForm(bucket, schema).readOnce(message.subject, message.data);
    return { value, writtenAt: message.time.getTime() };
  } catch (err) {
    if (err instanceof TerminalError) return undefined;
    throw err;
  }
}

type Watching = {
  readonly bucket: Bucket;
  readonly filter: string;
  readonly signal: AbortSignal;
  /**
   * At the begin, and as soon as a subscription has ended: from here on writes may be missing until
   * `onSynced`. Whatever was reported before, the server may have less or older values now.
   */
  readonly onStart?: () => void;
  readonly onUpdate: (update: Stored) => void;
  /** Every value that was present at the start was reported. */
  readonly onSynced: () => void;
  /**
   * A subscription begins anew after about so many milliseconds, up to a quarter more or less;
   * default 10 minutes.
   */
  readonly relistMs?: number;
};

const RELIST_MS = 600_000;
const RETRY = { initial: 200, max: 5_000 };

/**
 * One subscription, until the signal fires or `relistMs` have passed; throws where a write may be
 * missing, or it is not to be had.
 */
async function watchOnce(nats: Nats, watching: Watching): Promise<void> {
  const { bucket, filter, signal, relistMs = RELIST_MS, onUpdate, onSynced, onStart } = watching;
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
    // Before the subscription is taken away, which waits for the server.
    if (!signal.aborted) onStart?.();
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
async function keepWatching(nats: Nats, watching: Watching): Promise<void> {
  const { bucket, signal } = watching;
  let failures = 0;
  const onSynced = () => {
    failures = 0;
    watching.onSynced();
  };
  watching.onStart?.();
  while (!signal.aborted) {
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
