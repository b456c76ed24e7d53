import { stableId } from "@rollcast/shared/events";
import { ABSENT, UNKNOWN } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";

export function differing(s: DecisionInput, running: Contents, present: Contents): SourceKey[] {
  return (Object.keys(present) as SourceKey[]).filter((key) => {
    const wanted = present[key];
    if (wanted === undefined || wanted.digest === running[key]?.digest) return false;
    // A source that is gone is no content to roll to, unless asked for: what runs stays known, so that its return with the same data is no change.
    return wanted.digest !== ABSENT || deletionCounts(s, key, running[key]?.digest);
  });
}

/** A record that went away, or a source that was never seen, is no deletion. */
function deletionCounts(s: DecisionInput, key: SourceKey, running: string | undefined): boolean {
  const ran = running !== undefined && running !== UNKNOWN;
  return s.rules.onDelete && ran && s.sources.get(key)?.deletedAt !== undefined;
}

/** A hash of contents that is the same for the same sources, keys and digests. */
export function contentsHash(contents: Readonly<Record<string, Content>>): string {
  const pairs = Object.entries(contents)
    .map(([key, { keys, digest }]) => [key, keys, digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return stableId(JSON.stringify(pairs));
}
