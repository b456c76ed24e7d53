import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { KV } from "@nats-io/kv";
import type { z } from "zod";
import { keepWatching } from "./bucket-watch.ts";
import type { Watching } from "./bucket-watch.ts";
import { readBucket } from "./bucket.ts";
import type { Stored } from "./bucket.ts";
import type { Nats } from "./connect.ts";
import { recordReader } from "./record-reader.ts";
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
  /** Writes where nothing is; the new revision, or undefined where something was. */
  create(key: string, value: T): Promise<number | undefined>;
  /** Writes if `revision` is still the newest; returns the new revision, else undefined. */
  update(key: string, value: T, revision: number): Promise<number | undefined>;
  /** Removes where `revision` still is the newest; whether it did. */
  remove(key: string, revision: number): Promise<boolean>;
  /**
   * Every present record, oldest write first; unreadable ones are logged and left out. `filter` is
   * a subject filter of keys (`prod.>`).
   */
  snapshot(filter?: string): AsyncIterable<Entry<T>>;
  /**
   * Reports every present record and then each later write, on one subscription, until `signal`
   * fires. An unreadable record is logged and reported as removed.
   */
  listAndWatch(options: ListWatch<T>): void;
};

export type ListWatch<T> = {
  filter?: string;
  signal: AbortSignal;
  /** `value` undefined: removed. */
  onEntry: (key: string, value: T | undefined, revision: number) => void;
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
async function create(kv: KV, key: string, text: string): Promise<number | undefined> {
  const first = await orUndefinedOnConflict(kv.put(key, text, { previousSeq: 0 }));
  if (first !== undefined) return first;
  const entry = await kv.get(key);
  // Gone since: whoever removed the last trace of it, it is for the caller to decide again.
  if (entry === null || (entry.operation === "PUT" && entry.value.length > 0)) return undefined;
  return orUndefinedOnConflict(kv.update(key, text, entry.revision));
}

/** Opens a bucket that `provision` made. */
export async function openKv<T>(nats: Nats, bucket: Bucket, schema: z.ZodType<T>): Promise<Kv<T>> {
  const kv: KV = await new Kvm(nats.js).open(bucket, { allow_direct: false });
  const { parse, tryParse } = recordReader(nats, bucket, schema);
  return {
    async get(key) {
      const entry = await kv.get(key);
      if (entry === null || entry.operation !== "PUT" || entry.value.length === 0) return undefined;
      return { key, value: parse(key, entry.value), revision: entry.revision };
    },
    create: (key, value) => create(kv, key, JSON.stringify(value)),
    update: (key, value, revision) =>
      orUndefinedOnConflict(kv.update(key, JSON.stringify(value), revision)),
    async remove(key, revision) {
      // The client would remove all that match, and without a look at their revisions.
      if (/[*>]/.test(key)) throw new Error("a key holds no wildcard");
      const done = orUndefinedOnConflict(
        kv.purge(key, { previousSeq: revision, ttl: "1h" }).then(() => true),
      );
      return (await done) ?? false;
    },
    async *snapshot(filter = ">") {
      for await (const { key, bytes, revision } of readBucket(nats, bucket, filter)) {
        const value = tryParse(key, bytes);
        if (value !== undefined) yield { key, value, revision };
      }
    },
    listAndWatch({ filter = ">", onEntry, ...watching }) {
      const onUpdate = ({ key, bytes, revision }: Stored) =>
        onEntry(key, bytes === undefined ? undefined : tryParse(key, bytes), revision);
      keepWatching(nats, { bucket, filter, onUpdate, ...watching }).catch((err: unknown) =>
        nats.logger.error({ err, bucket }, "bucket watch failed"),
      );
    },
  };
}
