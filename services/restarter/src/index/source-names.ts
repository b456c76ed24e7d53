import { sourceKeys } from "@rollcast/nats/installation";
import type { Kv } from "@rollcast/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { NamePatterns } from "../model/rules.ts";
import { patternsOf, watchedSources, workloadKey } from "../model/workload.ts";
import type { SourcePattern, Workload, WorkloadKey } from "../model/workload.ts";
import type { WorkloadIndex } from "./workload-index.ts";

/** The names of all sources, for annotations with name patterns. */
export type SourceNames = {
  /** Sorted by name. */
  matching(pattern: SourcePattern): SourceKey[];
  add(source: { kind: string; namespace: string; name: string }): void;
  size(): number;
};

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

/**
 * The sources of a workload are in its record up to six times (what runs, and in each rollout that
 * is not confirmed) and in the marker. A record has 1 MiB, and all annotations together 256 KiB.
 */
const MAX_KEYS_BYTES = 85_000;
/** Of each in the record, beside its key. */
const CONTENT_BYTES = 80;

/** The sources that may roll a workload; `left`: those that match, and there is no room for. */
export type Candidates = {
  readonly keys: readonly SourceKey[];
  readonly left: readonly SourceKey[];
};

/** What is named without a pattern comes first, then what matches, by kind and name. */
export function candidates(names: Pick<SourceNames, "matching">, workload: Workload): Candidates {
  const keys = new Set(watchedSources(workload));
  const matching = patternsOf(workload).flatMap((pattern) => names.matching(pattern));
  const left: SourceKey[] = [];
  let room = MAX_KEYS_BYTES;
  for (const key of keys) room -= key.length + CONTENT_BYTES;
  for (const key of [...new Set(matching)].toSorted()) {
    if (keys.has(key)) continue;
    room -= key.length + CONTENT_BYTES;
    if (room < 0) left.push(key);
    else keys.add(key);
  }
  return { keys: [...keys], left };
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
