import type { ChangedKeys } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { verdict } from "../model/policy.ts";
import type { Rules } from "../model/rules.ts";
import type { Workload } from "../model/workload.ts";
import type { WorkloadIndex } from "./workload-index.ts";

/** How many workloads the last change of a source rolls. */
export type Affected = (source: SourceKey, record: SourceRecord) => number;

/** Counts kept: those of sources that change together. */
const KEPT = 1_000;

/** Whether one of the keys is among those that differ; where these were too many to list, it may be. */
function touches(keys: Workload["references"][number]["keys"], changed: ChangedKeys): boolean {
  if (keys === "*" || changed.more !== undefined) return true;
  const { added, changed: other, removed } = changed;
  return [...added, ...other, ...removed].some((key) => keys.includes(key));
}

/** Of the workloads that use the source, those that the checks let roll and that use a key that differs. */
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
    const used = workload.references.find((one) => one.kind === kind && one.name === name);
    // One that only its annotations name rolls for every key.
    const keys = workload.namespace === namespace && used !== undefined ? used.keys : "*";
    return record.changedKeys === undefined || touches(keys, record.changedKeys);
  }).length;
}

/** Counts each change once: the rollouts of one change say the same number, and a change that rolls thousands does not ask thousands of times. */
export function createAffectedCounts(
  index: Pick<WorkloadIndex, "usersOf">,
  rules: Rules,
): Affected {
  const counts = new Map<SourceKey, { version: string; count: number }>();
  return (source, record) => {
    const version = `${record.uid} ${record.resourceVersion}`;
    const known = counts.get(source);
    if (known?.version === version) return known.count;
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
