import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import type { Entry, Kv } from "@rollcast/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { carried } from "@rollcast/runtime/trace";
import type { Tracer } from "@rollcast/runtime/trace";
import { publishEvent } from "./publish-event.ts";
import { retry } from "./retry.ts";
import type { SourceCache } from "./source-cache.ts";
import type { WatcherMetrics } from "../metrics.ts";
import type { Failpoint } from "../failpoints.ts";

export type OutboxOptions = {
  cluster: string;
  nats: Nats;
  kv: Kv<SourceRecord>;
  cache: SourceCache;
  metrics: WatcherMetrics;
  tracer: Tracer;
  logger: Logger;
  failpoint: (failpoint: Failpoint) => void;
  signal: AbortSignal;
};

/** Decides on the record that should be, given the one that is: undefined leaves it. Called again when another writer was faster. */
export type Decide = (record: SourceRecord | undefined) => SourceRecord | undefined;

/**
 * Records and tells, in an order in which nothing between two steps can be lost: the record is put as pending, its event is published, the record is put as
 * published. Repeats each step until it succeeded, through outages of NATS; throws only when `signal` fires.
 */
export type Outbox = {
  /** Brings the record of `key` to what `decide` wants; `since` (`performance.now()`) is when the reason for it arrived. */
  apply(key: string, decide: Decide, since?: number): Promise<void>;
  /** Publishes what a pending record is due, e.g. that of a replica that died. */
  flush(key: string): Promise<void>;
  /** Removes the record of `key` where `wanted` says so of what it is now. */
  remove(key: string, wanted: (record: SourceRecord) => boolean): Promise<void>;
};

type RecordEntry = Entry<SourceRecord>;

export function createOutbox(options: OutboxOptions): Outbox {
  const { kv, cache, metrics, tracer, failpoint } = options;

  const read = async (key: string): Promise<RecordEntry | undefined> => {
    const entry = await retry(() => kv.get(key), options);
    if (entry !== undefined) cache.set(key, entry.value, entry.revision);
    return entry;
  };

  /** Writes over `found`; the new entry, or undefined where another writer was faster. */
  const put = async (key: string, value: SourceRecord, entry: RecordEntry | undefined) => {
    const write = () =>
      entry === undefined ? kv.create(key, value) : kv.update(key, value, entry.revision);
    const revision = await retry(write, options);
    if (revision === undefined) {
      metrics.conflicts.inc();
      return undefined;
    }
    cache.set(key, value, revision);
    return { key, value, revision };
  };

  const publishPending = async (
    entry: RecordEntry,
    since?: number,
  ): Promise<RecordEntry | undefined> => {
    await publishEvent(options, entry.value, since);
    failpoint("after-publish");
    return put(entry.key, { ...entry.value, state: "published" }, entry);
  };

  /** The record, after whatever it had to tell is told. */
  const flushed = async (key: string): Promise<RecordEntry | undefined> => {
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

  /** Takes a decision on `found` through all steps; false where another writer was faster. */
  const write = async ({ key, entry, value, since }: Writing) => {
    failpoint("before-put");
    const written = await put(key, value, entry);
    if (written === undefined) return false;
    failpoint("after-put");
    if (value.state !== "pending") return true;
    if ((await publishPending(written, since)) === undefined) await read(key);
    failpoint("after-published");
    return true;
  };

  /** Like {@link write}; a change that is to be told begins a trace, at the time when it arrived. */
  const writeTraced = async (writing: Writing) => {
    const { value, since } = writing;
    if (value.state !== "pending") return write(writing);
    const { traceparent: _before, ...untraced } = value;
    const { change, kind, namespace, name } = value;
    return tracer.span(
      `source ${change}`,
      {
        kind: "producer",
        startedAt: since === undefined ? undefined : Date.now() - (performance.now() - since),
        attributes: {
          "k8s.namespace.name": namespace,
          "rollcast.source": `${kind}/${namespace}/${name}`,
        },
      },
      () => write({ ...writing, value: { ...untraced, ...carried() } }),
    );
  };

  return {
    async apply(key, decide, since) {
      if (cache.get(key) === undefined) {
        // What is unknown here is most likely unknown to the bucket too, as in a first sync: no need to ask before.
        const value = decide(undefined);
        if (value !== undefined && (await writeTraced({ key, entry: undefined, value, since })))
          return;
      }
      for (;;) {
        const entry = await flushed(key);
        const value = decide(entry?.value);
        if (value === undefined || (await writeTraced({ key, entry, value, since }))) return;
      }
    },
    async flush(key) {
      await flushed(key);
    },
    async remove(key, wanted) {
      for (;;) {
        const entry = await read(key);
        if (entry === undefined || !wanted(entry.value)) return;
        if (await retry(() => kv.remove(key, entry.revision), options)) {
          cache.set(key, undefined, entry.revision);
          return;
        }
      }
    },
  };
}
