import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import type { Entry, Kv } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import type { SourceRecord } from "@rollcast/shared/records";
import { publishEvent } from "./publish-event.ts";
import { retryKv } from "./retry-kv.ts";
import type { SourceCache } from "./source-cache.ts";
import type { WatcherMetrics } from "../metrics.ts";
import { traceChange } from "./trace-change.ts";
import type { Failpoint } from "../failpoints.ts";

export type OutboxOptions = {
  cluster: string;
  nats: Nats;
  kv: Kv<SourceRecord>;
  cache: SourceCache;
  metrics: WatcherMetrics;
  logger: Logger;
  failpoint: (failpoint: Failpoint) => void;
  signal: AbortSignal;
};

/**
 * Returns the record to write, given the stored one; undefined leaves it. Called again after a
 * conflict.
 */
export type Decide = (record: SourceRecord | undefined) => SourceRecord | undefined;

/**
 * Writes records and publishes their events without losing any: writes the record as pending,
 * publishes its event, writes the record as published. Retries each step through outages of NATS;
 * throws only when `signal` fires.
 */
export type Outbox = {
  /**
   * Updates the record of `key` with `decide`; `since` (`performance.now()`) is when the change
   * arrived.
   */
  apply(key: string, decide: Decide, since?: number): Promise<void>;
  /** Publishes the event of a pending record, e.g. one left by a replica that died. */
  flush(key: string): Promise<void>;
  /** Removes the record of `key` if `wanted` accepts its present state. */
  remove(key: string, wanted: (record: SourceRecord) => boolean): Promise<void>;
};

type RecordEntry = Entry<SourceRecord>;

export function createOutbox(options: OutboxOptions): Outbox {
  const { kv, cache, metrics, failpoint } = options;

  const read = (key: string): Promise<RecordEntry | undefined> =>
    retryKv(() => kv.get(key), options);

  /** Replaces `entry`; returns the new entry, or undefined on a conflict. */
  const replace = async (key: string, value: SourceRecord, entry: RecordEntry | undefined) => {
    const written = await retryKv(() => put(kv, key, value, entry), options);
    if (written === undefined) metrics.conflicts.inc();
    return written;
  };

  const publishPending = async (
    entry: RecordEntry,
    since?: number,
  ): Promise<RecordEntry | undefined> => {
    await publishEvent(options, entry.value, since);
    failpoint("after-publish");
    return replace(entry.key, { ...entry.value, state: "published" }, entry);
  };

  /** Reads the record; if it is pending, publishes its event first. */
  const readFlushed = async (key: string): Promise<RecordEntry | undefined> => {
    let entry = await read(key);
    while (entry?.value.state === "pending") {
      entry = (await publishPending(entry)) ?? (await read(key));
    }
    return entry;
  };

  type Writing = {
    key: string;
    entry: RecordEntry | undefined;
    value: SourceRecord;
    since: number | undefined;
  };

  /** Writes `value` over `entry` and publishes its event; returns false on a conflict. */
  const write = async ({ key, entry, value, since }: Writing) => {
    failpoint("before-put");
    const written = await replace(key, value, entry);
    if (written === undefined) return false;
    failpoint("after-put");
    if (value.state !== "pending") return true;
    if ((await publishPending(written, since)) === undefined) await read(key);
    failpoint("after-published");
    return true;
  };

  /** Like {@link write}, in a trace of the change. */
  const writeTraced = (writing: Writing) =>
    traceChange(writing.value, writing.since, (value) => write({ ...writing, value }));

  return {
    async apply(key, decide, since) {
      if (cache.get(key) === undefined) {
        // A source that is not cached most likely has no record either, as in a first sync: skip
        // the read.
        const value = decide(undefined);
        if (value !== undefined && (await writeTraced({ key, entry: undefined, value, since })))
          return;
      }
      for (;;) {
        const entry = await readFlushed(key);
        const value = decide(entry?.value);
        if (value === undefined || (await writeTraced({ key, entry, value, since }))) return;
      }
    },
    async flush(key) {
      await readFlushed(key);
    },
    async remove(key, wanted) {
      for (;;) {
        const entry = await read(key);
        if (entry === undefined || !wanted(entry.value)) return;
        if (await retryKv(() => kv.remove(key, entry.revision), options)) return;
      }
    },
  };
}
