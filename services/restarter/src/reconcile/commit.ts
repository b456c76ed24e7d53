import type { Entry } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import { recordKey } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";

/**
 * Writes a record unless it has changed since `before` was read; then returns undefined. A dropped
 * rollout that had not begun releases its quota.
 */
export async function commit(
  ctx: Context,
  before: Entry<WorkloadRecord> | undefined,
  record: WorkloadRecord,
): Promise<Entry<WorkloadRecord> | undefined> {
  const key = recordKey(ctx.cluster, record);
  const written = await put(ctx.records, key, record, before);
  const { phase, rollout } = before?.value ?? {};
  const isDropped = phase === "pending" && rollout?.id !== record.rollout?.id;
  if (written !== undefined && isDropped && rollout !== undefined) {
    await ctx.admission.releaseQuota(workloadKey(record), rollout);
  }
  return written;
}
