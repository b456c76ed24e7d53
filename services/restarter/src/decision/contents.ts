import { stableId } from "@rollcast/shared/events";
import { ABSENT, UNKNOWN } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";

export function differing(s: DecisionInput, running: Contents, present: Contents): SourceKey[] {
  return (Object.keys(present) as SourceKey[]).filter((key) => {
    const wanted = present[key];
    if (wanted === undefined || wanted.digest === running[key]?.digest) return false;
    // By default a deleted source causes no rollout. What runs is kept, so that its return with the
    // same data is no change.
    return wanted.digest !== ABSENT || deletionCounts(s, key, running[key]?.digest);
  });
}

/** An expired record, or a source never observed, is not a deletion. */
function deletionCounts(s: DecisionInput, key: SourceKey, running: string | undefined): boolean {
  const ran = running !== undefined && running !== UNKNOWN;
  return s.rules.onDelete && ran && s.sources.get(key)?.deletedAt !== undefined;
}

/** A hash that is equal for equal sources, keys and digests. */
export function contentsHash(contents: Readonly<Record<string, Content>>): string {
  const pairs = Object.entries(contents)
    .map(([key, { keys, digest }]) => [key, keys, digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return stableId(JSON.stringify(pairs));
}
