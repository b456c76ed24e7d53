import type { Kv } from "@rollcast/nats/kv";
import type { NotifyRecord } from "./notify-record.ts";

/** The undelivered notifications of a receiver; `oldestAt` in milliseconds since the epoch. */
export type Waiting = { readonly count: number; readonly oldestAt: number };

/** Adds a record to the counts. */
export function countWaiting(waiting: Map<string, Waiting>, record: NotifyRecord): void {
  if (record.type !== "notification") return;
  const { receiver, createdAt } = record;
  const { count = 0, oldestAt = createdAt } = waiting.get(receiver) ?? {};
  waiting.set(receiver, { count: count + 1, oldestAt: Math.min(oldestAt, createdAt) });
}

/** Counts the undelivered notifications of each receiver, over all replicas. */
export async function waitingOf({
  cluster,
  records,
}: {
  readonly cluster: string;
  readonly records: Kv<NotifyRecord>;
}): Promise<ReadonlyMap<string, Waiting>> {
  const waiting = new Map<string, Waiting>();
  for await (const { value } of records.snapshot(`${cluster}.message.>`)) {
    countWaiting(waiting, value);
  }
  return waiting;
}
