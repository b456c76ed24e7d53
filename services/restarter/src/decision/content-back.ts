import { changedNames } from "@rollcast/shared/records";
import { touches } from "../model/verdict.ts";
import type { Content, SourceKey } from "../model/content.ts";
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
 * Since when a source may have had other content than this, which it has again; undefined where it
 * cannot have had other. One change alone brings nothing back: it was of keys that are not used.
 */
function awaySince(
  { record, sources }: Pick<DecisionInput, "record" | "sources">,
  key: SourceKey,
  content: Content,
): number | undefined {
  const { changeCount, changedAt, changedKeys, earlierChanges = [] } = sources.get(key) ?? {};
  if (changeCount === undefined || changedAt === undefined) return undefined;
  const last = { at: changedAt, keys: changedNames(changedKeys) };
  const changes = [...earlierChanges, last];
  const decidedAt = record?.decidedAt ?? Number.POSITIVE_INFINITY;
  const isLater = ({ at }: { readonly at: number }) => at > decidedAt;
  // A record of an earlier version does not count them.
  const count =
    content.changeCount === undefined
      ? changes.filter(isLater).length
      : changeCount - content.changeCount;
  if (count < 2) return undefined;
  const others = changes.slice(-count).filter(({ keys }) => touches(content.keys, keys));
  if (others.length !== 1) return others[0]?.at;
  // What it brought back went by one of those that are not remembered.
  const [first = last] = changes;
  return count > changes.length ? Math.min(decidedAt, first.at) : undefined;
}

/**
 * Sources that changed after what the record has of them, into what the workload's pods run by it:
 * pods that began in between may run what was there meanwhile. Undefined if there is none.
 * `decided` is the record by which nothing is due.
 */
export function contentBack(s: DecisionInput, decided: WorkloadRecord): ContentBack | undefined {
  if (s.record?.uid !== s.workload.uid) return undefined;
  const away = (Object.entries(decided.running) as [SourceKey, Content][]).flatMap(
    ([key, running]) => {
      const since = awaySince(s, key, running);
      return since === undefined ? [] : { key, since };
    },
  );
  if (away.length === 0) return undefined;
  const keys = away.map(({ key }) => key);
  return {
    keys,
    since: Math.min(...away.map(({ since }) => since)),
    until: Math.max(...keys.map((key) => lastChange(s, key) ?? 0)),
  };
}

/** The record whose pods all have what came back, so that they are not asked again. */
export function withBack(
  record: WorkloadRecord,
  { sources }: Pick<DecisionInput, "sources">,
  { keys }: ContentBack,
): WorkloadRecord {
  const running = { ...record.running };
  for (const key of keys) {
    const content = running[key];
    const { changeCount } = sources.get(key) ?? {};
    if (content !== undefined) running[key] = { ...content, changeCount };
  }
  return { ...record, running };
}
