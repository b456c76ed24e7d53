import { reloaderRestarted } from "../model/workload.ts";
import type { EndedWorkloads } from "./ended-workloads.ts";
import type { Workload } from "../model/workload.ts";

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
    const isDated = now.editedAt !== undefined && now.editedAt > (before.editedAt ?? 0);
    const latest = isDated ? now.editedAt + LAST_OF_SECOND_MS : time;
    return { ...atLatest(now), editedAt: Math.min(time, latest), isEditShown: true };
  }
  const { editedAt, editedVersion, isEditShown } = before;
  // Seen step by step, the template is not edited, whatever managedFields say of its manager.
  const isGapless = watched || before.resourceVersion === now.resourceVersion;
  if (!isGapless && (editedAt === undefined || editedAt < (now.editedAt ?? 0))) {
    return atLatest(now);
  }
  return { ...now, editedAt, editedVersion, isEditShown };
}

/**
 * The watch shows each version of a workload, its creation first. One that was made over the pods
 * of another did not begin with its creation.
 */
export function withCreation(
  now: Workload,
  before: Workload | undefined,
  { watched, ended }: { watched: boolean; ended: Pick<EndedWorkloads, "orphanedAt"> },
): Workload {
  if (before?.uid === now.uid) {
    const { createdVersion, orphanedAt } = before;
    return { ...now, createdVersion, orphanedAt };
  }
  const orphanedAt = ended.orphanedAt(now);
  if (orphanedAt !== undefined) return { ...now, orphanedAt };
  return watched ? { ...now, createdVersion: now.resourceVersion } : now;
}

function atLatest(workload: Workload): Workload {
  return { ...workload, editedVersion: workload.resourceVersion };
}
