import { sourceKeys } from "@rollcast/nats/installation";
import type { Kv } from "@rollcast/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { NamePatterns } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { SourcePattern, WorkloadKey } from "../model/workload.ts";
import type { WorkloadIndex } from "./workload-index.ts";

/** The names of all sources, for annotations with name patterns. */
export type SourceNames = {
  /** At most {@link MAX_MATCHES}, sorted by name. */
  matching(pattern: SourcePattern): SourceKey[];
  add(source: { kind: string; namespace: string; name: string }): void;
  size(): number;
};

/** More sources than this per pattern would make the record and the marker too large. */
const MAX_MATCHES = 200;

/** An empty set of names. The workloads that may use a new one are enqueued by `onNamed`. */
export function createSourceNames(
  patterns: NamePatterns,
  index: Pick<WorkloadIndex, "usersOf">,
  onNamed: { readonly enqueue: (key: WorkloadKey) => void },
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
      for (const workload of index.usersOf(sourceKey(kind, namespace, name))) {
        onNamed.enqueue(workloadKey(workload));
      }
    },
    size: () => [...byPlace.values()].reduce((sum, names) => sum + names.size, 0),
  };
}

/** The source of the names. */
type NameFeed = {
  readonly sources: Kv<SourceRecord>;
  readonly cluster: string;
  readonly signal: AbortSignal;
};

/**
 * Calls `onRecord` with the present and future records of sources, until `signal` fires; resolves
 * when the present ones are in. That a record is removed changes nothing: reading it then returns
 * nothing.
 */
export async function watchSourceNames(
  onRecord: (record: SourceRecord) => void,
  feed: NameFeed,
): Promise<void> {
  const { sources, cluster, signal } = feed;
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  sources.listAndWatch({
    filter: sourceKeys(cluster),
    signal,
    onEntry(_key, record) {
      if (record !== undefined) onRecord(record);
    },
    onSynced: resolve,
  });
  signal.addEventListener("abort", () => resolve(), { once: true });
  await synced;
}
