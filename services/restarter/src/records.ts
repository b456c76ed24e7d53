import type { Entry } from "@rollcast/shared/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import type { Context } from "./context.ts";
import type { Outcome, WorkloadRecord } from "./record.ts";

/** Writes a record where nobody wrote since `before` was read; undefined where somebody did. */
export async function commit(
  ctx: Context,
  before: Entry<WorkloadRecord> | undefined,
  record: WorkloadRecord,
): Promise<Entry<WorkloadRecord> | undefined> {
  const key = recordKey(ctx.cluster, record);
  const revision =
    before === undefined
      ? await ctx.records.create(key, record)
      : await ctx.records.update(key, record, before.revision);
  return revision === undefined ? undefined : { key, value: record, revision };
}

const ENDS = new Set(["succeeded", "failed", "superseded", "cancelled"]);

/** Publishes an outcome, tells it to who looks at the workload, and counts it. */
export async function announce(ctx: Context, outcome: Outcome): Promise<void> {
  await ctx.publish(outcome);
  ctx.tell(outcome);
  ctx.metrics.outcome(outcome);
  const { workload, rollout, reason, message, durationMs } = outcome.data;
  const level = outcome.word === "failed" ? "warn" : "info";
  ctx.logger[level](
    { workload, rollout, outcome: outcome.word, reason, message, durationMs },
    "rollout outcome",
  );
}

/** Publishes what the record's outbox holds, then empties it. Whoever is interrupted in between leaves it to the next, who publishes under the same ids. */
export async function flush(
  ctx: Context,
  entry: Entry<WorkloadRecord>,
): Promise<Entry<WorkloadRecord> | undefined> {
  if (entry.value.outbox.length === 0) return entry;
  for (const outcome of entry.value.outbox) {
    if (ENDS.has(outcome.word)) ctx.step("end-written");
    await announce(ctx, outcome);
    if (ENDS.has(outcome.word)) ctx.step("end-published");
  }
  return commit(ctx, entry, { ...entry.value, outbox: [] });
}
