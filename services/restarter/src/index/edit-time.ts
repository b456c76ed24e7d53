import { compareVersions } from "@rollcast/kube/resource-version";
import { isAtRest, reloaderRestarted } from "../model/workload.ts";
import type { EndedWorkloads } from "./ended-workloads.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

const LAST_OF_SECOND_MS = 999;

/**
 * A template change that we `watched` was edited now, by this version: more exact than the second
 * in managedFields, but never later than it. Otherwise a lagging watch would date an edit after a
 * later change of a source, and the change would count as rolled. A write that only takes something
 * off, as our marker, leaves no time there: its version alone keeps it from that. An edit that a
 * list or a response shows was made at any earlier time, and by this version at the latest.
 */
export function withEdit(
  now: Workload,
  before: Workload | undefined,
  { time, watched }: { time: number; watched: boolean },
): Workload {
  if (before === undefined || before.uid !== now.uid) {
    return atLatest(now);
  }
  const isEdited =
    before.templateHash !== now.templateHash || reloaderRestarted(now, before.marks.reloader);
  // Our marker in another's write is part of the template: it restarts pods as any edit of it.
  const isUnmarked =
    now.rollBy === "patch" && before.marker !== now.marker && now.ownsMarker !== true;
  if (isEdited || isUnmarked) {
    if (!watched) return atLatest(now);
    const earlierEdits = replacedWith(before);
    const again = earlierEdits.find(({ of }) => of === templateOf(now));
    if (again !== undefined) return { ...now, ...again.edit, earlierEdits };
    const isDated = now.editedAt !== undefined && now.editedAt > (before.editedAt ?? 0);
    const latest = isDated ? now.editedAt + LAST_OF_SECOND_MS : time;
    const editedAt = Math.min(time, latest);
    return { ...atLatest(now), editedAt, isEditShown: true, earlierEdits };
  }
  const { editedAt, editedVersion, isEditShown } = before;
  // Seen step by step, the template is not edited, whatever managedFields say of its manager.
  const isGapless = watched || before.resourceVersion === now.resourceVersion;
  if (!isGapless && (editedAt === undefined || editedAt < (now.editedAt ?? 0))) {
    return atLatest(now);
  }
  const earlierEdits = isAtRest(now) ? undefined : before.earlierEdits;
  return { ...now, editedAt, editedVersion, isEditShown, earlierEdits };
}

/** More edits in a row, none of which comes to rest, are nobody's work. */
const MAX_EARLIER = 4;

function templateOf({ templateHash, marker = "" }: Workload): string {
  return `${templateHash} ${marker}`;
}

/** The templates that pods may be left of, with that of the workload, which is being replaced. */
function replacedWith(workload: Workload): NonNullable<Workload["earlierEdits"]> {
  const left = isAtRest(workload) ? [] : (workload.earlierEdits ?? []);
  const of = templateOf(workload);
  if (left.some((other) => other.of === of)) return left;
  const { editedAt, editedVersion, isEditShown } = workload;
  return [...left, { of, edit: { editedAt, editedVersion, isEditShown } }].slice(0, MAX_EARLIER);
}

/**
 * The watch shows each version of a workload, its creation first. One that was made over the pods
 * of another did not begin with its creation.
 */
export function withCreation(
  now: Workload,
  before: Workload | undefined,
  { watched, ended }: { watched: boolean; ended: Pick<EndedWorkloads, "podsSince"> },
): Workload {
  if (before?.uid === now.uid) {
    const { createdVersion, podsSince } = before;
    return { ...now, createdVersion, podsSince };
  }
  const podsSince = ended.podsSince(now);
  if (podsSince !== undefined) return { ...now, podsSince };
  return watched ? { ...now, createdVersion: now.resourceVersion } : now;
}

function atLatest(workload: Workload): Workload {
  return { ...workload, editedVersion: workload.resourceVersion };
}

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
      const { editedAt, editedVersion, isEditShown, earlierEdits } = shown;
      return { ...indexed, editedAt, editedVersion, isEditShown, earlierEdits };
    },
    end(key, indexed) {
      if (!behind.has(key)) return indexed;
      const before = behind.get(key);
      behind.delete(key);
      return before;
    },
  };
}
