import { ABSENT } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { compareVersions } from "@rollcast/kube/resource-version";
import { superseded } from "./rollout-ends.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";
import { reloaderRestarted } from "../model/reloader-marks.ts";

/** The latest moment at which a source can have changed last; undefined where it never did since its creation. */
export function lastChange(s: DecisionInput, key: SourceKey): number | undefined {
  const source = s.sources.get(key);
  return source?.changedAt === undefined
    ? undefined
    : source.changedAt + (source.changedWithin ?? 0);
}

/**
 * Whether the source's last write is known to be later than the workload's last edit, or its creation: etcd numbers all writes in one order. Clocks differ and
 * watches lag; but the API promises an order within a resource type only (KEP-5504), so versions overrule a clock that says "before", and never one that says "after".
 */
export function isLaterByVersion(s: DecisionInput, key: SourceKey): boolean {
  const { editedVersion } = s.workload;
  const version = s.sources.get(key)?.resourceVersion;
  if (editedVersion === undefined || version === undefined) return false;
  return compareVersions(version, editedVersion) > 0;
}

/** Whether pods that the last edit of the template started run what the source has been since its last change. */
function isBeforeEdit(s: DecisionInput, key: SourceKey): boolean {
  const { editedAt } = s.workload;
  const changedBy = lastChange(s, key);
  if (changedBy === undefined) return true;
  return editedAt !== undefined && changedBy < editedAt && !isLaterByVersion(s, key);
}

export function sameSecondOrEarlier(time: number, than: number): boolean {
  return Math.floor(time / 1_000) <= Math.floor(than / 1_000);
}

/** The record after an edit of the pod template by others: it ended what was rolling, and since it restarts the pods, what changed before it is current. */
export function reconcileEdit(
  s: DecisionInput,
  record: WorkloadRecord,
  present: Contents,
): WorkloadRecord {
  const { workload } = s;
  const reloaded = reloaderRestarted(workload, record.marks ?? "");
  if (workload.templateHash === record.templateHash && !reloaded) return record;
  if (workload.rollBy === "job") {
    // A Job that runs is not touched by an edit of the template that it was made from.
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
