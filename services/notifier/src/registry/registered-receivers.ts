import { TerminalError } from "@rollcast/shared/errors";
import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { receiversKey } from "../model/record-keys.ts";
import type { NotifyRecord } from "../model/notify-record.ts";

type RecordsContext = Pick<Context, "cluster" | "logger" | "records">;

/** The record; `unreadable` where it is of a newer version, which is told. */
async function read({ cluster, logger, records }: RecordsContext) {
  const key = receiversKey(cluster);
  try {
    return await records.get(key);
  } catch (err) {
    if (!(err instanceof TerminalError)) throw err;
    logger.error({ err, key }, "record left alone");
    return "unreadable";
  }
}

function namesIn(entry: Entry<NotifyRecord> | undefined): readonly string[] {
  return entry?.value.type === "receivers" ? entry.value.names : [];
}

/** The receivers of the configuration that any replica read last. */
export async function readRegisteredReceivers(ctx: RecordsContext): Promise<ReadonlySet<string>> {
  const entry = await read(ctx);
  return new Set(entry === "unreadable" ? [] : namesIn(entry));
}

/** Tells the other replicas which receivers there are now; returns those that there were before and are no more. */
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
    const revision =
      before === undefined
        ? await ctx.records.create(key, record)
        : await ctx.records.update(key, record, before.revision);
    if (revision !== undefined) return removed;
  }
}
