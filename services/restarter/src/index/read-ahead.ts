import { compareVersions } from "@rollcast/kube/resource-version";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { withEdit } from "./edit-time.ts";

/**
 * What the watch has shown of workloads that a read showed before it: the versions in between come
 * late, and only they say when the template was edited.
 */
export type ReadAhead = {
  /** A read shows a version that is newer than what the index has. */
  begin(key: WorkloadKey, indexed: Workload | undefined): void;
  /** The workload, marked if the watch has not shown it. */
  marked(key: WorkloadKey, workload: Workload): Workload;
  /**
   * The watch shows an older version than the indexed one: that, with what the older one says of
   * its last edit.
   */
  late(key: WorkloadKey, older: Workload, indexed: Workload, time: number): Workload;
  /** The watch has come so far, or the workload is gone: what it showed before. */
  end(key: WorkloadKey, indexed: Workload | undefined): Workload | undefined;
};

/** Whether the API server wrote `a` before `b`. */
export function isOlder(a: Workload, b: Workload): boolean {
  return compareVersions(a.resourceVersion, b.resourceVersion) < 0;
}

export function createReadAhead(): ReadAhead {
  const behind = new Map<WorkloadKey, Workload | undefined>();
  return {
    begin(key, indexed) {
      if (!behind.has(key)) behind.set(key, indexed);
    },
    marked: (key, workload) => (behind.has(key) ? { ...workload, isAhead: true } : workload),
    late(key, older, indexed, time) {
      if (!behind.has(key)) return indexed;
      const before = behind.get(key);
      const isShown = before?.uid === older.uid && isOlder(older, before);
      if (isShown) return indexed;
      const shown = withEdit(older, before, { time, watched: true });
      behind.set(key, shown);
      const isSame =
        shown.uid === indexed.uid &&
        shown.templateHash === indexed.templateHash &&
        shown.marker === indexed.marker;
      if (!isSame) return indexed;
      const { editedAt, editedVersion, isEditShown } = shown;
      return { ...indexed, editedAt, editedVersion, isEditShown };
    },
    end(key, indexed) {
      if (!behind.has(key)) return indexed;
      const before = behind.get(key);
      behind.delete(key);
      return before;
    },
  };
}
