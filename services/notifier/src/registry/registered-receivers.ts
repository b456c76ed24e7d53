import { TerminalError } from "@rollcast/shared/errors";
import { modify } from "@rollcast/nats/modify";
import type { NotifyRecord } from "../model/notify-record.ts";
import type { ReceiverDeps } from "../receivers/receiver.ts";

type RecordsContext = Pick<ReceiverDeps, "cluster" | "logger" | "records">;

function receiversKey(cluster: string): string {
  return `${cluster}.receivers`;
}

/** Undefined when a newer version wrote the record, which is logged. */
async function unlessUnreadable<T>(
  { cluster, logger }: RecordsContext,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (err) {
    if (!(err instanceof TerminalError)) throw err;
    logger.error({ err, key: receiversKey(cluster) }, "skipping unreadable record");
    return undefined;
  }
}

function namesIn(record: NotifyRecord | undefined): readonly string[] {
  return record?.type === "receivers" ? record.names : [];
}

/** The receivers of the configuration that any replica loaded last. */
export async function readRegisteredReceivers(ctx: RecordsContext): Promise<ReadonlySet<string>> {
  const key = receiversKey(ctx.cluster);
  const entry = await unlessUnreadable(ctx, () => ctx.records.get(key));
  return new Set(namesIn(entry?.value));
}

/** Publishes the current receivers to the other replicas; returns those that were removed. */
export async function registerReceivers(
  ctx: RecordsContext,
  names: readonly string[],
): Promise<string[]> {
  const key = receiversKey(ctx.cluster);
  const record = { v: 1 as const, type: "receivers" as const, names: [...names], at: Date.now() };
  let removed: string[] = [];
  await unlessUnreadable(ctx, () =>
    modify(ctx.records, key, (before) => {
      const registered = namesIn(before);
      removed = registered.filter((name) => !names.includes(name));
      const isSame = removed.length === 0 && registered.length === names.length;
      return before !== undefined && isSame ? undefined : record;
    }),
  );
  return removed;
}
