import { ABSENT } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { compareVersions } from "@rollcast/kube/resource-version";
import { superseded } from "./rollout-ends.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";
import { reloaderRestarted } from "../model/reloader-marks.ts";

/** The latest time a source can have changed; undefined if unchanged since its creation. */
export function lastChange(s: DecisionInput, key: SourceKey): number | undefined {
  const source = s.sources.get(key);
  return source?.changedAt === undefined
    ? undefined
    : source.changedAt + (source.changedWithin ?? 0);
}

/**
 * Whether the source's last write is known to be later than the workload's last edit or creation.
 * etcd numbers all writes in one order, while clocks differ and watches lag. But the API guarantees
 * order only within a resource type (KEP-5504), so versions overrule a clock that says "before",
 * never one that says "after".
 */
export function isLaterByVersion(s: DecisionInput, key: SourceKey): boolean {
  const { editedVersion } = s.workload;
  const version = s.sources.get(key)?.resourceVersion;
  if (editedVersion === undefined || version === undefined) return false;
  return compareVersions(version, editedVersion) > 0;
}

/** Whether pods started by the last template edit run the source's last change. */
function isBeforeEdit(s: DecisionInput, key: SourceKey): boolean {
  const { editedAt } = s.workload;
  const changedBy = lastChange(s, key);
  if (changedBy === undefined) return true;
  return editedAt !== undefined && changedBy < editedAt && !isLaterByVersion(s, key);
}

export function sameSecondOrEarlier(time: number, than: number): boolean {
  return Math.floor(time / 1_000) <= Math.floor(than / 1_000);
}

/**
 * The record after others edited the pod template: the edit ended the current rollout and restarts
 * the pods, so earlier changes are current.
 */
export function reconcileEdit(
  s: DecisionInput,
  record: WorkloadRecord,
  present: Contents,
): WorkloadRecord {
  const { workload } = s;
  const reloaded = reloaderRestarted(workload, record.marks ?? "");
  if (workload.templateHash === record.templateHash && !reloaded) return record;
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
    if (isBeforeEdit(s, key) && running[key] !== undefined && content.digest !== ABSENT)
      running[key] = content;
  }
  return { ...next, running };
}
