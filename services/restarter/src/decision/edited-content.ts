import { ABSENT, UNKNOWN, markerHash, unknownContents } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { isTemplateEdited } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { Contents, DecisionInput } from "./decision.ts";
import { superseded } from "./outcomes.ts";
import { isLaterByVersion, isOlderThan, lastChange } from "./running-content.ts";

/** The version of the last edit, where the watch showed it: a list gives one that may be later. */
function shownEdit({ editedVersion, isEditShown }: Workload): string | undefined {
  return isEditShown === true ? editedVersion : undefined;
}

/** Whether pods started by the last template edit run the source's last change. */
function isBeforeEdit(s: DecisionInput, key: SourceKey): boolean {
  const { editedAt } = s.workload;
  // Where versions follow one order they know better than two watches, each with its own lag.
  const isOlder = isOlderThan(s, key, shownEdit(s.workload));
  if (isOlder !== undefined) return isOlder;
  const changedBy = lastChange(s, key);
  if (changedBy === undefined) return !isLaterByVersion(s, key);
  return editedAt !== undefined && changedBy < editedAt && !isLaterByVersion(s, key);
}

/**
 * The earliest time at which pods of the present template may have begun, of a workload that was
 * edited ({@link isEdited}) or is new: where that is dated by managedFields, and a source changed
 * in between. Those say when its manager wrote last, whatever it wrote. Undefined where nothing
 * depends on it.
 */
export function beganAfter(
  s: Pick<DecisionInput, "installedAt" | "record" | "sources" | "workload">,
): number | undefined {
  const { installedAt, record, sources, workload } = s;
  const { createdAt, editedAt, isEditShown, restartsOnEdit, rollBy } = workload;
  const isListed = isEditShown !== true && rollBy !== "job" && rollBy !== "recreate";
  if (!isListed || editedAt === undefined || !restartsOnEdit) return undefined;
  const own = record?.uid === workload.uid ? record : undefined;
  if (own === undefined && createdAt <= installedAt) return undefined;
  const since = own?.decidedAt ?? createdAt;
  const isBetween = (key: SourceKey) => {
    const changed = lastChange(s, key);
    return changed !== undefined && changed >= since && changed < editedAt;
  };
  return [...sources.keys()].some(isBetween) ? since : undefined;
}

/** So many are kept: more edits in a row, none of which comes to rest, are nobody's work. */
const MAX_EARLIER = 4;

type Earlier = NonNullable<WorkloadRecord["earlier"]>;

/** The templates that pods may be left of, with the one that has just been replaced. */
function earlierTemplates(record: WorkloadRecord): Earlier {
  const { earlier = [], marker, partial, phase, running, templateHash } = record;
  const isMixed = phase === "rolling" || partial === true;
  const last = { templateHash, marker, running, ...(isMixed ? { mixed: true as const } : {}) };
  const others = earlier.filter(
    (other) => other.templateHash !== templateHash || other.marker !== marker,
  );
  return [...others, last].slice(0, MAX_EARLIER);
}

/**
 * What the pods run that are left of the present template, where others put it back before the
 * workload came to rest; undefined where there are none: then the edit restarts every pod.
 */
function runningLeft({ earlier = [] }: WorkloadRecord, workload: Workload) {
  const marker = markerHash(workload);
  const same = earlier.filter(({ templateHash }) => templateHash === workload.templateHash);
  const left = same.find((template) => template.marker === marker);
  if (left !== undefined) return left.running;
  const mixed = same.find((template) => template.mixed === true);
  return mixed && unknownContents(mixed.running);
}

/**
 * The record of a workload that is older than it, and lacks the marker that it has: the cluster was
 * restored from a backup of before the rollout, so nobody knows what its pods run.
 */
export function rewound(s: DecisionInput, record: WorkloadRecord): WorkloadRecord {
  const { now, workload } = s;
  const { marker = "", phase, rollout, running } = record;
  const isUndone = marker !== "" && marker !== markerHash(workload);
  if (!isUndone) return record;
  const before =
    phase === "rolling" && rollout !== undefined
      ? superseded(record, rollout, "TemplateChanged", now, "the cluster was restored")
      : record;
  return {
    ...before,
    running: unknownContents(running),
    templateHash: workload.templateHash,
    marker: markerHash(workload),
    marks: workload.marks.reloader,
  };
}

/**
 * The record after others edited the pod template ({@link isEdited}): the edit ended the current
 * rollout and restarts the pods, so earlier changes are current.
 */
export function reconcileEdit(
  s: DecisionInput,
  record: WorkloadRecord,
  present: Contents,
): WorkloadRecord {
  const { workload } = s;
  if (!isTemplateEdited(record, workload) && record.partial === true) {
    return { ...record, running: unknownContents(record.running) };
  }
  if (workload.rollBy === "job") {
    // Editing the template of a CronJob does not affect its running Job.
    return { ...record, templateHash: workload.templateHash, marks: workload.marks.reloader };
  }
  const { rollout, ...rest } = record;
  let next: WorkloadRecord = {
    ...rest,
    templateHash: workload.templateHash,
    marks: workload.marks.reloader,
  };
  if (rollout !== undefined) {
    next =
      record.phase === "rolling"
        ? superseded(next, rollout, "TemplateChanged", s.now)
        : { ...next, phase: "current" };
  }
  const isOther = workload.rollBy !== "recreate" && record.templateHash !== workload.templateHash;
  const earlier = isOther ? earlierTemplates(record) : record.earlier;
  // Also where the workload is paused meanwhile: its pods of before stay when it is resumed.
  const left = isOther ? runningLeft(record, workload) : undefined;
  if (left !== undefined) return { ...next, earlier, editedVersion: undefined, running: left };
  const { editedAt } = workload;
  if (!workload.restartsOnEdit || editedAt === undefined) return next;
  next = { ...next, earlier, editedVersion: shownEdit(workload) };
  const running = { ...next.running };
  for (const [key, content] of Object.entries(present) as [SourceKey, Content][]) {
    const before = running[key];
    if (before === undefined || content.digest === ABSENT) continue;
    if (isBeforeEdit(s, key)) running[key] = content;
    // Nobody knows which came first: the edit's pods may run what was before the change, or after.
    else if (before.digest !== content.digest && !isLaterByVersion(s, key)) {
      running[key] = { ...content, digest: UNKNOWN };
    }
  }
  return { ...next, running };
}
