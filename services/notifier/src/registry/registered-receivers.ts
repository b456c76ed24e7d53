import { TerminalError } from "@rollcast/shared/errors";
import type { Entry } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import type { NotifyRecord } from "../model/notify-record.ts";
import type { ReceiverDeps } from "../receivers/receiver.ts";

type RecordsContext = Pick<ReceiverDeps, "cluster" | "logger" | "records">;

function receiversKey(cluster: string): string {
  return `${cluster}.receivers`;
}

/** Reads the record; `unreadable` when a newer version wrote it, which is logged. */
async function read({ cluster, logger, records }: RecordsContext) {
  const key = receiversKey(cluster);
  try {
    return await records.get(key);
  } catch (err) {
    if (!(err instanceof TerminalError)) throw err;
    logger.error({ err, key }, "skipping unreadable record");
    return "unreadable";
  }
}

function namesIn(entry: Entry<NotifyRecord> | undefined): readonly string[] {
  return entry?.value.type === "receivers" ? entry.value.names : [];
}

/** The receivers of the configuration that any replica loaded last. */
export async function readRegisteredReceivers(ctx: RecordsContext): Promise<ReadonlySet<string>> {
  const entry = await read(ctx);
  return new Set(entry === "unreadable" ? [] : namesIn(entry));
}

/** Publishes the current receivers to the other replicas; returns those that were removed. */
export async function registerReceivers(
  ctx: RecordsContext,
  names: readonly string[],
): Promise<string[]> {
  const key = receiversKey(ctx.cluster);
  const record = { v: 1 as const, type: "receivers" as const, names: [...names], at: Date.now() };
  for (;;) {
    const before = await read(ctx);
    if (before === "unreadable") return [];
    const registered = namesIn(before);
    const removed = registered.filter((name) => !names.includes(name));
    if (before !== undefined && removed.length === 0 && registered.length === names.length)
      return [];
    if ((await put(ctx.records, key, record, before)) !== undefined) return removed;
  }
}
