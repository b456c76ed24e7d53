import { retry } from "@rollcast/async/retry";
import type { Nats } from "@rollcast/nats/connect";
import type { Entry, Kv } from "@rollcast/nats/kv";
import { modify, put } from "@rollcast/nats/modify";
import { publish } from "@rollcast/nats/publish";
import type { Logger } from "@rollcast/runtime/logger";
import { SpanKind, carried, inSpan, trace } from "@rollcast/runtime/trace";
import { TerminalError, isAborted } from "@rollcast/shared/errors";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Failpoint } from "../failpoints.ts";
import type { WatcherMetrics } from "../metrics.ts";
import { eventOf } from "../model/compare.ts";
import type { SourceCache } from "./source-store.ts";

const tracer = trace.getTracer("rollcast-watcher");
const BACKOFF = { initial: 100, max: 5_000 };

type OutboxOptions = {
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
type Decide = (record: SourceRecord | undefined) => SourceRecord | undefined;

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

/** `value`, to be written over `entry`. */
type Writing = {
  key: string;
  entry: RecordEntry | undefined;
  value: SourceRecord;
  since: number | undefined;
};

/**
 * Repeats a read or write of a bucket through network faults of NATS until it succeeds. Throws when
 * `signal` fires or repeating cannot help.
 */
export function retryKv<R>(
  work: () => Promise<R>,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<R> {
  return retry(work, {
    backoff: BACKOFF,
    signal,
    onFailure(err, attempt) {
      if (err instanceof TerminalError || isAborted(err)) throw err;
      logger.warn({ err, attempt }, "bucket not reachable, retrying");
    },
  });
}

/**
 * Calls `write`. If the record has an event, that happens in a new trace, which starts when the
 * change arrived (`since`, `performance.now()`) and is stored in the record.
 */
async function traceChange(
  writing: Writing,
  write: (writing: Writing) => Promise<boolean>,
): Promise<boolean> {
  const { value, since } = writing;
  if (value.state !== "pending") return write(writing);
  const { traceparent: _before, ...untraced } = value;
  const { change, kind, namespace, name } = value;
  return inSpan(
    tracer,
    `source ${change}`,
    {
      kind: SpanKind.PRODUCER,
      startTime: since === undefined ? undefined : Date.now() - (performance.now() - since),
      attributes: {
        "k8s.namespace.name": namespace,
        "rollcast.source": `${kind}/${namespace}/${name}`,
      },
    },
    () => write({ ...writing, value: { ...untraced, ...carried() } }),
  );
}

/**
 * Publishes the event of a pending record, if it has one; `since` (`performance.now()`) is when the
 * change arrived.
 */
async function publishEvent(
  { cluster, nats, metrics, logger, signal }: OutboxOptions,
  record: SourceRecord,
  since: number | undefined,
): Promise<void> {
  const due = eventOf(cluster, record);
  if (due === undefined) return;
  const { duplicate } = await publish(nats, due.subject, due.event, signal);
  const type = record.change;
  metrics.published.inc({ type, result: duplicate ? "duplicate" : "stored" });
  if (since !== undefined) metrics.lag.observe({ type }, (performance.now() - since) / 1_000);
  const { kind, namespace, name, resourceVersion, changedKeys, reason } = record;
  const source = `${kind}/${namespace}/${name}`;
  const data = { source, change: type, resourceVersion, changedKeys, reason, duplicate };
  logger.info({ ...data, id: due.event.id }, "source event published");
}

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

  return {
    async apply(key, decide, since) {
      if (cache.get(key) === undefined) {
        // A source that is not cached most likely has no record either, as in a first sync: skip
        // the read.
        const value = decide(undefined);
        if (
          value !== undefined &&
          (await traceChange({ key, entry: undefined, value, since }, write))
        )
          return;
      }
      for (;;) {
        const entry = await readFlushed(key);
        const value = decide(entry?.value);
        if (value === undefined || (await traceChange({ key, entry, value, since }, write))) return;
      }
    },
    async flush(key) {
      await readFlushed(key);
    },
    async remove(key, wanted) {
      const removed = (record: SourceRecord | undefined) =>
        record !== undefined && wanted(record) ? null : undefined;
      await retryKv(() => modify(kv, key, removed), options);
    },
  };
}
