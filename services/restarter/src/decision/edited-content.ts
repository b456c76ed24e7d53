import { ABSENT, UNKNOWN } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { touches } from "../model/verdict.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput } from "./decision.ts";
import { superseded } from "./outcomes.ts";
import {
  isLaterByVersion,
  isTemplateEdited,
  lastChange,
  unknownContents,
} from "./running-content.ts";

/** Whether pods started by the last template edit run the source's last change. */
function isBeforeEdit(s: DecisionInput, key: SourceKey): boolean {
  const { editedAt } = s.workload;
  const changedBy = lastChange(s, key);
  if (changedBy === undefined) return !isLaterByVersion(s, key);
  return editedAt !== undefined && changedBy < editedAt && !isLaterByVersion(s, key);
}

/** Whether a key that the workload uses is among those that changed last, after the record. */
function isTouchedSince(s: DecisionInput, record: WorkloadRecord, key: SourceKey): boolean {
  const { changedAt = 0, changedKeys } = s.sources.get(key) ?? {};
  const keys = record.running[key]?.keys;
  if (changedKeys === undefined || keys === undefined) return false;
  return changedAt > (record.decidedAt ?? 0) && touches(keys, changedKeys);
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
  const { editedAt } = workload;
  if (!workload.restartsOnEdit || editedAt === undefined) return next;
  const running = { ...next.running };
  for (const [key, content] of Object.entries(present) as [SourceKey, Content][]) {
    const before = running[key];
    if (before === undefined || content.digest === ABSENT) continue;
    if (isBeforeEdit(s, key)) running[key] = content;
    // Nobody knows which came first: the edit's pods may run what was before the change, or after.
    else if (before.digest !== content.digest && !isLaterByVersion(s, key)) {
      running[key] = { ...content, digest: UNKNOWN };
    }
    // It changed after the edit into what it was before: the edit's pods may run what was between.
    else if (before.digest === content.digest && isTouchedSince(s, record, key)) {
      running[key] = { ...content, digest: UNKNOWN };
    }
  }
  return { ...next, running };
}
