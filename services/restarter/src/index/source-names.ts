import { sourceKeys } from "@rollcast/nats/installation";
import type { Kv } from "@rollcast/nats/kv";
import { SourceKind } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { kindToken, parseRecordKey } from "@rollcast/shared/subjects";
import type { ObjectRef } from "@rollcast/shared/subjects";
import { sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { NamePatterns } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { SourcePattern, WorkloadKey } from "../model/workload.ts";
import { place } from "./workload-index.ts";
import type { WorkloadIndex } from "./workload-index.ts";

/** The names of all sources, for annotations with name patterns. */
export type SourceNames = {
  /** Sorted by name. */
  matching(pattern: SourcePattern): SourceKey[];
  add(source: ObjectRef): void;
  /** Forgets a source of which there is no record any more, not even of its deletion. */
  remove(source: ObjectRef): void;
  /** Forgets all others. */
  retain(kept: ReadonlySet<SourceKey>): void;
};

/** An empty set of names. The workloads that may use a new one are enqueued by `onNamed`. */
export function createSourceNames(
  patterns: NamePatterns,
  index: Pick<WorkloadIndex, "usersOf">,
  onNamed: { readonly enqueue: (key: WorkloadKey) => void },
): SourceNames {
  const byPlace = new Map<string, Set<string>>();
  const removeAt = (at: string, name: string) => {
    const names = byPlace.get(at);
    names?.delete(name);
    if (names?.size === 0) byPlace.delete(at);
  };
  return {
    remove: ({ name, ...source }) => removeAt(place(source), name),
    retain(kept) {
      for (const [at, names] of byPlace) {
        for (const name of names) if (!kept.has(`${at}/${name}` as SourceKey)) removeAt(at, name);
      }
    },
    matching: ({ kind, namespace, pattern }) =>
      [...(byPlace.get(place({ kind, namespace })) ?? [])]
        .filter((name) => patterns.matches(pattern, name))
        .toSorted()
        .map((name) => sourceKey(kind, namespace, name)),
    add({ kind, namespace, name }) {
      const at = place({ kind, namespace });
      const names = byPlace.get(at) ?? new Set();
      byPlace.set(at, names);
      if (names.has(name)) return;
      names.add(name);
      for (const workload of index.usersOf(sourceKey(kind, namespace, name))) {
        onNamed.enqueue(workloadKey(workload));
      }
    },
  };
}

type NameFeed = {
  readonly sources: Kv<SourceRecord>;
  readonly cluster: string;
  readonly signal: AbortSignal;
  /** Called with each record that has annotations that count, or had some at its start. */
  readonly onAnnotated?: (record: SourceRecord) => void;
};

/** The source that a record's key is about, whatever the record holds. */
function sourceOf(key: string): ObjectRef | undefined {
  const ref = parseRecordKey(key);
  const kind = SourceKind.options.find((each) => kindToken(each) === ref?.kind);
  return ref === undefined || kind === undefined ? undefined : { ...ref, kind };
}

/**
 * Keeps the names of the sources that have a record, until `signal` fires; resolves when the
 * present ones are in. One whose record cannot be read has its name: whoever may use it says so.
 */
export async function feedSourceNames(names: SourceNames, feed: NameFeed): Promise<void> {
  const { sources, cluster, signal, onAnnotated } = feed;
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  const annotated = new Set<string>();
  /** While the bucket is listed: what it has shown. */
  let listed: Set<SourceKey> | undefined;
  const add = (source: ObjectRef | undefined) => {
    if (source === undefined) return;
    listed?.add(sourceKey(source.kind, source.namespace, source.name));
    names.add(source);
  };
  sources.listAndWatch({
    filter: sourceKeys(cluster),
    signal,
    onStart() {
      listed = new Set();
    },
    onEntry(key, record) {
      if (record === undefined) {
        const source = sourceOf(key);
        if (source !== undefined) names.remove(source);
        return void annotated.delete(key);
      }
      add(record);
      if (Object.keys(record.annotations).length > 0) annotated.add(key);
      if (annotated.has(key)) onAnnotated?.(record);
    },
    onUnreadable(key) {
      const source = sourceOf(key);
      // Added anew, its users are enqueued, also where it had its name before.
      if (source !== undefined) names.remove(source);
      add(source);
    },
    onSynced() {
      if (listed !== undefined) names.retain(listed);
      listed = undefined;
      resolve();
    },
  });
  signal.addEventListener("abort", () => resolve(), { once: true });
  await synced;
}
