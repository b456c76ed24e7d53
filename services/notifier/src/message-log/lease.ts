import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Entry, Kv } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import type { MessageLogRecord } from "../model/message-log-record.ts";
import type { NotifyRecord } from "../model/notify-record.ts";

/** Longer than one call of a receiver takes, including the pause before it. */
const LEASE_MS = 20_000;
const GIVE_UP_MS = 60_000;
const POLL_MS = 250;

/** Exclusive access to the message log of one receiver. */
export type Lease = {
  log(): MessageLogRecord;
  /**
   * Writes the log and renews the lease; throws {@link LeaseLostError} when another notifier has
   * taken it.
   */
  save(log: MessageLogRecord): Promise<void>;
  /** Releases the lease. */
  release(): Promise<void>;
};

/** The lease could not be acquired in time, or expired while this process was stalled. */
export class LeaseLostError extends Error {
  override name = "LeaseLostError";
}

export type LeaseOptions = {
  records: Kv<NotifyRecord>;
  key: string;
  receiver: string;
  signal: AbortSignal;
};

type LogEntry = Entry<MessageLogRecord>;

async function read({ records, key }: LeaseOptions): Promise<LogEntry | undefined> {
  const entry = await records.get(key);
  if (entry === undefined) return undefined;
  if (entry.value.type !== "message-log") throw new Error("the record is no message log");
  return { ...entry, value: entry.value };
}

/**
 * Acquires the lease on a receiver's message log, waiting while another holds it: two notifiers, or
 * two messages at once, would post what the other one edits. The lease of a crashed holder expires.
 * Throws {@link LeaseLostError} after a minute.
 */
export async function acquireLease(options: LeaseOptions): Promise<Lease> {
  const { records, key } = options;
  const holder = randomUUID();
  const giveUp = Date.now() + GIVE_UP_MS;
  const mine = (log: MessageLogRecord): MessageLogRecord => ({
    ...log,
    lease: { holder, until: Date.now() + LEASE_MS },
  });
  const acquire = async (): Promise<LogEntry> => {
    for (;;) {
      const before = await read(options);
      const { receiver } = options;
      const log = before?.value ?? {
        v: 1 as const,
        type: "message-log" as const,
        receiver,
        posts: [],
      };
      const held = (log.lease?.until ?? 0) > Date.now();
      const acquired = held ? undefined : await put(records, key, mine(log), before);
      if (acquired !== undefined) return acquired;
      if (Date.now() > giveUp)
        throw new LeaseLostError("timed out waiting for the lease of the message log");
      await sleep(POLL_MS, undefined, { signal: options.signal });
    }
  };
  let entry = await acquire();
  const save = async (log: MessageLogRecord) => {
    const next = await put(records, key, log, entry);
    if (next === undefined)
      throw new LeaseLostError("another notifier holds the lease of the message log");
    entry = next;
  };
  return {
    log: () => entry.value,
    save: (log) => save(mine(log)),
    async release() {
      const { lease: _, ...log } = entry.value;
      await save(log);
    },
  };
}
