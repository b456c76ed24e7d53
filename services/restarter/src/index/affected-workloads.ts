import type { SourceRecord } from "@rollcast/shared/records";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { Rules } from "../model/rules.ts";
import { touches } from "../model/source-references.ts";
import { verdict } from "../model/verdict.ts";
import type { Workload } from "../model/workload.ts";
import type { WorkloadIndex } from "./workload-index.ts";

/** How many workloads the last change of a source rolls. */
export type Affected = (source: SourceKey, record: SourceRecord) => number;

/** Cached counts: those of sources that change together. */
const KEPT = 1_000;

/** The workloads that use the source, pass the checks, and use a key that differs. */
export function countAffected(
  users: readonly Workload[],
  source: SourceKey,
  about: { record: SourceRecord; rules: Rules },
): number {
  const { record, rules } = about;
  const { kind, namespace, name } = splitSourceKey(source);
  return users.filter((workload) => {
    const question = { rules, workload, source: { kind, namespace, name }, record };
    if (!verdict(question).roll) return false;
    const used = workload.references.find(
      (reference) => reference.kind === kind && reference.name === name,
    );
    // A workload that names the source only by annotation rolls for every key.
    const keys = workload.namespace === namespace && used !== undefined ? used.keys : "*";
    return record.changedKeys === undefined || touches(keys, record.changedKeys);
  }).length;
}

/**
 * Counts each change once, so that all its rollouts report the same number, and a change that rolls
 * thousands of workloads is not counted thousands of times.
 */
export function createAffectedCounts(
  index: Pick<WorkloadIndex, "usersOf">,
  rules: Rules,
): Affected {
  const counts = new Map<SourceKey, { version: string; count: number }>();
  return (source, record) => {
    const version = `${record.uid} ${record.resourceVersion}`;
    const cached = counts.get(source);
    if (cached?.version === version) return cached.count;
    const count = countAffected(index.usersOf(source), source, { record, rules });
    counts.delete(source);
    counts.set(source, { version, count });
    for (const oldest of counts.keys()) {
      if (counts.size <= KEPT) break;
      counts.delete(oldest);
    }
    return count;
  };
}
