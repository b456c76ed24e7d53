import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import type { Entry, Kv } from "@rollcast/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { carried } from "@rollcast/runtime/tracing/trace";
import type { Tracer } from "@rollcast/runtime/tracing/trace";
import { publishEvent } from "./publish-event.ts";
import { insist } from "./retry.ts";
import type { KnownSources } from "./source-cache.ts";
import type { WatcherMetrics } from "../metrics.ts";
import type { Step } from "../failpoints.ts";

export type OutboxOptions = {
  cluster: string;
  nats: Nats;
  kv: Kv<SourceRecord>;
  known: KnownSources;
  metrics: WatcherMetrics;
  tracer: Tracer;
  logger: Logger;
  probe: (step: Step) => void;
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
  settle(key: string): Promise<void>;
  /** Removes the record of `key` where `wanted` says so of what it is now. */
  remove(key: string, wanted: (record: SourceRecord) => boolean): Promise<void>;
};

type Found = Entry<SourceRecord>;

export function createOutbox(options: OutboxOptions): Outbox {
  const { kv, known, metrics, tracer, probe } = options;

  const read = async (key: string): Promise<Found | undefined> => {
    const entry = await insist(() => kv.get(key), options);
    if (entry !== undefined) known.take(key, entry.value, entry.revision);
    return entry;
  };

  /** Writes over `found`; the new entry, or undefined where another writer was faster. */
  const put = async (key: string, value: SourceRecord, found: Found | undefined) => {
    const write = () =>
      found === undefined ? kv.create(key, value) : kv.update(key, value, found.revision);
    const revision = await insist(write, options);
    if (revision === undefined) {
      metrics.conflicts.inc();
      return undefined;
    }
    known.take(key, value, revision);
    return { key, value, revision };
  };

  const publishPending = async (found: Found, since?: number): Promise<Found | undefined> => {
    await publishEvent(options, found.value, since);
    probe("after-publish");
    return put(found.key, { ...found.value, state: "published" }, found);
  };

  /** The record, after whatever it had to tell is told. */
  const settled = async (key: string): Promise<Found | undefined> => {
    let found = await read(key);
    while (found?.value.state === "pending") {
      found = (await publishPending(found)) ?? (await read(key));
    }
    return found;
  };

  type Writing = {
    key: string;
    found: Found | undefined;
    value: SourceRecord;
    since: number | undefined;
  };

  /** Takes a decision on `found` through all steps; false where another writer was faster. */
  const write = async ({ key, found, value, since }: Writing) => {
    probe("before-put");
    const written = await put(key, value, found);
    if (written === undefined) return false;
    probe("after-put");
    if (value.state !== "pending") return true;
    if ((await publishPending(written, since)) === undefined) await read(key);
    probe("after-published");
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
      if (known.get(key) === undefined) {
        // What is unknown here is most likely unknown to the bucket too, as in a first sync: no need to ask before.
        const value = decide(undefined);
        if (value !== undefined && (await writeTraced({ key, found: undefined, value, since })))
          return;
      }
      for (;;) {
        const found = await settled(key);
        const value = decide(found?.value);
        if (value === undefined || (await writeTraced({ key, found, value, since }))) return;
      }
    },
    async settle(key) {
      await settled(key);
    },
    async remove(key, wanted) {
      for (;;) {
        const found = await read(key);
        if (found === undefined || !wanted(found.value)) return;
        if (await insist(() => kv.remove(key, found.revision), options)) {
          known.take(key, undefined, found.revision);
          return;
        }
      }
    },
  };
}
