import type { Context } from "../context.ts";
import type { NotifyRecord } from "../model/notify-record.ts";
import type { Waiting } from "../model/waiting.ts";

/** Adds a record to what is known to wait. */
export function countWaiting(waiting: Map<string, Waiting>, record: NotifyRecord): void {
  if (record.type !== "notification") return;
  const { receiver, createdAt } = record;
  const { count = 0, oldestAt = createdAt } = waiting.get(receiver) ?? {};
  waiting.set(receiver, { count: count + 1, oldestAt: Math.min(oldestAt, createdAt) });
}

/** What waits for each receiver now, over all replicas. */
export async function waitingOf(
  ctx: Pick<Context, "cluster" | "records">,
): Promise<ReadonlyMap<string, Waiting>> {
  const waiting = new Map<string, Waiting>();
  for await (const { value } of ctx.records.snapshot(`${ctx.cluster}.message.>`)) {
    countWaiting(waiting, value);
  }
  return waiting;
}
