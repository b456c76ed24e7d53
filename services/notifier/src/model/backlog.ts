import type { Kv } from "@rollcast/nats/kv";
import type { NotifyRecord } from "./notify-record.ts";

/** The undelivered notifications of a receiver; `oldestAt` in milliseconds since the epoch. */
export type Backlog = { readonly count: number; readonly oldestAt: number };

/** Adds a record to the counts. */
export function addToBacklog(waiting: Map<string, Backlog>, record: NotifyRecord): void {
  if (record.type !== "notification") return;
  const { receiver, createdAt } = record;
  const { count = 0, oldestAt = createdAt } = waiting.get(receiver) ?? {};
  waiting.set(receiver, { count: count + 1, oldestAt: Math.min(oldestAt, createdAt) });
}

/** Counts the undelivered notifications of each receiver, over all replicas. */
export async function readBacklog({
  cluster,
  records,
}: {
  readonly cluster: string;
  readonly records: Kv<NotifyRecord>;
}): Promise<ReadonlyMap<string, Backlog>> {
  const waiting = new Map<string, Backlog>();
  for await (const { value } of records.snapshot(`${cluster}.message.>`)) {
    addToBacklog(waiting, value);
  }
  return waiting;
}
