import type { SourceKey } from "../model/content.ts";
import { touches } from "../model/verdict.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { DecisionInput } from "./decision.ts";
import { lastChange } from "./running-content.ts";

/** Content that came and went, and the times between which pods may have begun with it. */
export type ContentBack = {
  readonly keys: readonly SourceKey[];
  readonly since: number;
  readonly until: number;
};

/**
 * Sources that changed after the record was decided, into what its pods run by it: pods that began
 * in between may run what was there meanwhile. Undefined if there is none. `decided` is the record
 * by which nothing is due.
 */
export function contentBack(s: DecisionInput, decided: WorkloadRecord): ContentBack | undefined {
  const { record, sources, workload } = s;
  const isOfPods = workload.rollBy === "patch" || workload.rollBy === "restart";
  if (record?.uid !== workload.uid || record.decidedAt === undefined || !isOfPods) return undefined;
  // The pods of a rollout all began after it was decided.
  if (record.phase === "rolling") return undefined;
  // A change that waits was seen, and those after it may have brought it back.
  const since = Math.min(record.staleSince ?? record.decidedAt, record.decidedAt);
  const isBack = (key: SourceKey) => {
    const running = record.running[key];
    const { changedAt = 0, changedKeys } = sources.get(key) ?? {};
    if (running === undefined || running.digest !== decided.running[key]?.digest) return false;
    return changedAt > since && changedKeys !== undefined && touches(running.keys, changedKeys);
  };
  const keys = (Object.keys(record.running) as SourceKey[]).filter(isBack);
  if (keys.length === 0) return undefined;
  return { keys, since, until: Math.max(...keys.map((key) => lastChange(s, key) ?? 0)) };
}
