import type { Context } from "../context.ts";
import { receiversKey } from "../record.ts";

type Part = Pick<Context, "cluster" | "records">;

/** The receivers of the configuration that any replica read last. */
export async function knownReceivers(ctx: Part): Promise<ReadonlySet<string>> {
  const entry = await ctx.records.get(receiversKey(ctx.cluster));
  return new Set(entry?.value.type === "receivers" ? entry.value.names : []);
}

/** Tells the other replicas which receivers there are now; returns those that there were before and are no more. */
export async function tellReceivers(ctx: Part, names: readonly string[]): Promise<string[]> {
  const key = receiversKey(ctx.cluster);
  const record = { v: 1 as const, type: "receivers" as const, names: [...names], at: Date.now() };
  for (;;) {
    const before = await ctx.records.get(key);
    const told = before?.value.type === "receivers" ? before.value.names : [];
    const removed = told.filter((name) => !names.includes(name));
    if (before !== undefined && removed.length === 0 && told.length === names.length) return [];
    const revision =
      before === undefined
        ? await ctx.records.create(key, record)
        : await ctx.records.update(key, record, before.revision);
    if (revision !== undefined) return removed;
  }
}
