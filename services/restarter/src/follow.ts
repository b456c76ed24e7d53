import { recordKey } from "@rollcast/shared/subjects";
import { advance } from "./advance.ts";
import { clock } from "./context.ts";
import type { Context } from "./context.ts";
import { mayRoll } from "./policy.ts";
import type { WorkloadRecord } from "./record.ts";
import { workloadKey } from "./workload.ts";
import type { Workload, WorkloadKey } from "./workload.ts";

const TICK_MS = 1_000;
/** After this a record that is `pending` has lost whoever wrote it. */
const ORPHAN_MS = 30_000;

/** What is followed now. */
export type Following = {
  /** Takes a record as it was read elsewhere, e.g. by the sweep. */
  see(record: WorkloadRecord): void;
  count(): number;
  /** Workloads whose pods do not run the present content, and since when the oldest of them (milliseconds since the epoch). */
  stale(): { count: number; since: number | undefined };
};

function needsWatching(record: WorkloadRecord): boolean {
  return (
    record.phase === "pending" ||
    record.phase === "rolling" ||
    record.due !== undefined ||
    record.failure !== undefined ||
    record.staleSince !== undefined ||
    record.outbox.length > 0
  );
}

function isDue(record: WorkloadRecord, workload: Workload | undefined, now: number): boolean {
  const { rollout } = record;
  if (record.due !== undefined && record.due.at <= now) return true;
  if (record.failure !== undefined && record.failure.retryAt <= now) return true;
  if (record.phase === "pending") return now > (rollout?.decidedAt ?? 0) + ORPHAN_MS;
  return workload !== undefined && advance(record, workload, now) !== record;
}

function specChanged(now: Workload, before: Workload | undefined): boolean {
  return (
    before === undefined ||
    before.uid !== now.uid ||
    before.templateHash !== now.templateHash ||
    before.paused !== now.paused ||
    before.deleting !== now.deleting ||
    JSON.stringify(before.annotations) !== JSON.stringify(now.annotations)
  );
}

/**
 * Watches the index and the records, and asks for a workload to be settled when it may have come further: its rollout ended or is late, its spec was
 * edited, it is gone, what was put off is due. Following costs no request: all it needs comes by watches that are there anyway.
 */
export function startFollowing(
  ctx: Context,
  request: (key: WorkloadKey) => void,
  signal: AbortSignal,
): Following {
  const active = new Map<WorkloadKey, WorkloadRecord>();
  const see = (record: WorkloadRecord) => {
    const key = workloadKey(record);
    if (needsWatching(record)) active.set(key, record);
    else active.delete(key);
    if (active.has(key) && isDue(record, ctx.index.get(key), clock())) request(key);
  };
  ctx.index.listen({
    changed(workload, before) {
      const key = workloadKey(workload);
      const record = active.get(key);
      const opted = mayRoll(workload) || (before !== undefined && mayRoll(before));
      if (specChanged(workload, before) && (opted || record !== undefined)) request(key);
      else if (record !== undefined && advance(record, workload, clock()) !== record) request(key);
    },
    removed(workload) {
      if (mayRoll(workload) || active.has(workloadKey(workload))) request(workloadKey(workload));
    },
  });
  const byRecordKey = new Map<string, WorkloadKey>();
  ctx.records.watch({
    filter: `${ctx.cluster}.>`,
    signal,
    onEntry(key, record) {
      if (record !== undefined) {
        byRecordKey.set(recordKey(ctx.cluster, record), workloadKey(record));
        see(record);
        if (!active.has(workloadKey(record))) byRecordKey.delete(key);
        return;
      }
      const gone = byRecordKey.get(key);
      if (gone !== undefined) active.delete(gone);
      byRecordKey.delete(key);
    },
    onGap() {
      for (const key of active.keys()) request(key);
    },
  });
  const tick = setInterval(() => {
    const now = clock();
    for (const [key, record] of active) {
      if (isDue(record, ctx.index.get(key), now)) request(key);
    }
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(tick), { once: true });
  return {
    see,
    count: () => active.size,
    stale() {
      const since = [...active.values()]
        .map((one) => one.staleSince)
        .filter((one) => one !== undefined);
      return { count: since.length, since: since.length === 0 ? undefined : Math.min(...since) };
    },
  };
}
