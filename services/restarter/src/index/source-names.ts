import { sourceKeys } from "@rollcast/nats/installation";
import type { Kv } from "@rollcast/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { SourcePattern } from "../model/watched-sources.ts";
import type { NamePatterns } from "../model/name-patterns.ts";

/** The names of all sources, for annotations with name patterns. */
export type SourceNames = {
  /** At most {@link MAX_MATCHES}, sorted by name. */
  matching(pattern: SourcePattern): SourceKey[];
  add(source: { kind: string; namespace: string; name: string }): void;
  size(): number;
};

/** More sources than this per pattern would make the record and the marker too large. */
export const MAX_MATCHES = 200;

/** An empty set of names. `onNew` is called with each new name. */
export function createSourceNames(
  patterns: NamePatterns,
  onNew: (source: SourceKey) => void,
): SourceNames {
  const byPlace = new Map<string, Set<string>>();
  return {
    matching({ kind, namespace, pattern }) {
      const names = byPlace.get(`${kind}/${namespace}`) ?? [];
      return [...names]
        .filter((name) => patterns.matches(pattern, name))
        .toSorted()
        .slice(0, MAX_MATCHES)
        .map((name) => sourceKey(kind, namespace, name));
    },
    add({ kind, namespace, name }) {
      const place = `${kind}/${namespace}`;
      const names = byPlace.get(place) ?? new Set();
      byPlace.set(place, names);
      if (names.has(name)) return;
      names.add(name);
      onNew(sourceKey(kind, namespace, name));
    },
    size: () => [...byPlace.values()].reduce((sum, names) => sum + names.size, 0),
  };
}

/** The source of the names. */
export type NameFeed = {
  readonly sources: Kv<SourceRecord>;
  readonly cluster: string;
  readonly signal: AbortSignal;
};

/**
 * Feeds `names` from the present and future records of sources, until `signal` fires; resolves when
 * the present ones are in. A name stays when its record is removed: reading it then returns
 * nothing.
 */
export async function watchSourceNames(names: SourceNames, feed: NameFeed): Promise<void> {
  const { sources, cluster, signal } = feed;
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  sources.listAndWatch({
    filter: sourceKeys(cluster),
    signal,
    onEntry(_key, record) {
      if (record !== undefined) names.add(record);
    },
    onSynced: resolve,
  });
  signal.addEventListener("abort", () => resolve(), { once: true });
  await synced;
}
