import { setTimeout as sleep } from "node:timers/promises";
import { DeliverPolicy, JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { KV } from "@nats-io/kv";
import type { z } from "zod";
import { backoffDelay } from "../backoff.ts";
import { TerminalError } from "../errors.ts";
import type { Nats } from "./connect.ts";
import type { Bucket } from "./provision.ts";

/** A value with the revision that compare-and-set needs. */
export type Entry<T> = { readonly key: string; readonly value: T; readonly revision: number };

/**
 * A bucket of records of one form. Reads go to the leader, so they see every acknowledged write. Every write is a compare-and-set; a lost
 * one returns undefined (read again and decide again). A write that times out may have happened: the next one then loses.
 * Network faults are thrown.
 */
export type Kv<T> = {
  /** The record, or undefined. Throws {@link TerminalError} (`unreadable`) where it is not of the form, e.g. of a newer version. */
  get(key: string): Promise<Entry<T> | undefined>;
  /** Writes where nothing is; the new revision, or undefined where something was. */
  create(key: string, value: T): Promise<number | undefined>;
  /** Writes where `revision` still is the newest; the new revision, or undefined where it is not. */
  update(key: string, value: T, revision: number): Promise<number | undefined>;
  /** Removes where `revision` still is the newest; whether it did. */
  remove(key: string, revision: number): Promise<boolean>;
  /** Every present record, oldest write first; unreadable ones are logged and left out. `filter` is a subject filter of keys (`prod.>`). */
  snapshot(filter?: string): AsyncIterable<Entry<T>>;
  /** Calls back for each write from now on (value undefined: removed), until `signal` fires. A gap in the subscription calls `onGap`. */
  watch(options: WatchOptions<T>): void;
};

export type WatchOptions<T> = {
  filter?: string;
  signal: AbortSignal;
  onEntry: (key: string, value: T | undefined, revision: number) => void;
  onGap: () => void;
  /** Called each time the subscription stands: every later write is told. Before `onGap` where both are due. */
  onOpen?: () => void;
};

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

/** Opens a bucket that `provision` made. */
export async function openKv<T>(nats: Nats, bucket: Bucket, schema: z.ZodType<T>): Promise<Kv<T>> {
  const kv: KV = await new Kvm(nats.js).open(bucket, { allow_direct: false });
  const stream = `KV_${bucket}`;
  const prefix = `$KV.${bucket}.`;

  const parse = (key: string, bytes: Uint8Array): T => {
    const parsed = schema.safeParse(safeJson(bytes));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new TerminalError(
      "unreadable",
      `record ${key} in ${bucket} is not of the form this version reads (${issue?.path.join(".")}: ${issue?.message})`,
    );
  };
  const tryParse = (key: string, bytes: Uint8Array): T | undefined => {
    try {
      return parse(key, bytes);
    } catch (err) {
      nats.logger.error({ err, key, bucket }, "record left alone");
      return undefined;
    }
  };

  async function* snapshot(filter = ">"): AsyncIterable<Entry<T>> {
    const consumer = await nats.js.consumers.get(stream, {
      filter_subjects: `${prefix}${filter}`,
      deliver_policy: DeliverPolicy.LastPerSubject,
    });
    const info = await consumer.info(true);
    if (info.num_pending === 0) {
      await consumer.delete().catch(() => false);
      return;
    }
    const messages = await consumer.consume({ max_messages: 500, idle_heartbeat: 5_000 });
    try {
      for await (const msg of messages) {
        if (!isRemoval(msg.headers?.get("KV-Operation"), msg.headers?.get("Nats-Marker-Reason"))) {
          const key = msg.subject.slice(prefix.length);
          const value = tryParse(key, msg.data);
          if (value !== undefined) yield { key, value, revision: msg.seq };
        }
        if (msg.info.pending === 0) break;
      }
    } finally {
      messages.stop();
      await consumer.delete().catch(() => false);
    }
  }

  const pump = async (options: WatchOptions<T>) => {
    for (let attempt = 1; !options.signal.aborted; attempt++) {
      try {
        const updates = await kv.watch({ key: options.filter ?? ">", include: "updates" });
        const stop = () => updates.stop();
        options.signal.addEventListener("abort", stop, { once: true });
        if (options.signal.aborted) stop();
        options.onOpen?.();
        if (attempt > 1) options.onGap();
        for await (const update of updates) {
          const removed = update.operation !== "PUT" || update.value.length === 0;
          const value = removed ? undefined : tryParse(update.key, update.value);
          if (removed || value !== undefined) options.onEntry(update.key, value, update.revision);
        }
        options.signal.removeEventListener("abort", stop);
      } catch (err) {
        if (!options.signal.aborted) nats.logger.warn({ err, bucket }, "bucket watch ended");
      }
      if (options.signal.aborted) return;
      const delay = backoffDelay({ initial: 200, max: 5_000 }, Math.min(attempt, 6));
      await sleep(delay, undefined, { signal: options.signal }).catch(() => undefined);
    }
  };

  return {
    async get(key) {
      const entry = await kv.get(key);
      if (entry === null || entry.operation !== "PUT" || entry.value.length === 0) return undefined;
      return { key, value: parse(key, entry.value), revision: entry.revision };
    },
    create: (key, value) => orUndefinedOnConflict(kv.create(key, JSON.stringify(value))),
    update: (key, value, revision) =>
      orUndefinedOnConflict(kv.update(key, JSON.stringify(value), revision)),
    async remove(key, revision) {
      const done = orUndefinedOnConflict(
        kv.purge(key, { previousSeq: revision, ttl: "1h" }).then(() => true),
      );
      return (await done) ?? false;
    },
    snapshot,
    watch(options) {
      pump(options).catch((err: unknown) =>
        nats.logger.error({ err, bucket }, "bucket watch failed"),
      );
    },
  };
}

function isRemoval(operation: string | undefined, marker: string | undefined): boolean {
  return operation === "DEL" || operation === "PURGE" || (marker ?? "") !== "";
}

function safeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
