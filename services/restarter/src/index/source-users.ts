import type { NamePatterns } from "../model/name-patterns.ts";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { patternsOf, watchedSources } from "../model/watched-sources.ts";
import type { SourcePattern } from "../model/watched-sources.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** Which workloads may roll for a source. */
export type SourceUsers = {
  add(workload: Workload): void;
  remove(workload: Workload): void;
  of(source: SourceKey): Workload[];
};

function add<K>(sets: Map<K, Set<WorkloadKey>>, at: K, key: WorkloadKey): void {
  const keys = sets.get(at) ?? new Set();
  sets.set(at, keys.add(key));
}

function remove<K>(sets: Map<K, Set<WorkloadKey>>, at: K, key: WorkloadKey): void {
  const keys = sets.get(at);
  keys?.delete(key);
  if (keys?.size === 0) sets.delete(at);
}

function place(source: { kind: string; namespace: string }): string {
  return `${source.kind}/${source.namespace}`;
}

/** `get` returns an added workload in its present state. */
export function createSourceUsers(
  patterns: NamePatterns,
  get: (key: WorkloadKey) => Workload | undefined,
): SourceUsers {
  const users = new Map<SourceKey, Set<WorkloadKey>>();
  /** By kind and namespace of the sources in their patterns. */
  const searchers = new Map<string, Set<WorkloadKey>>();
  return {
    remove(workload) {
      const key = workloadKey(workload);
      for (const source of watchedSources(workload)) remove(users, source, key);
      for (const pattern of patternsOf(workload)) remove(searchers, place(pattern), key);
    },
    add(workload) {
      const key = workloadKey(workload);
      for (const source of watchedSources(workload)) add(users, source, key);
      for (const pattern of patternsOf(workload)) add(searchers, place(pattern), key);
    },
    of(source) {
      const { kind, namespace, name } = splitSourceKey(source);
      const userKeys = new Set(users.get(source));
      for (const key of searchers.get(place({ kind, namespace })) ?? []) {
        const workload = get(key);
        const names = (pattern: SourcePattern) =>
          pattern.kind === kind &&
          pattern.namespace === namespace &&
          patterns.matches(pattern.pattern, name);
        if (workload !== undefined && patternsOf(workload).some(names)) userKeys.add(key);
      }
      return [...userKeys].map((key) => get(key)).filter((workload) => workload !== undefined);
    },
  };
}
