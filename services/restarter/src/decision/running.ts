import { ABSENT, UNKNOWN, comparable } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { parseMarker } from "../model/marker.ts";
import { compareVersions } from "@rollcast/kube/resource-version";
import { stableId } from "@rollcast/shared/events";
import { superseded } from "./outcomes.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, Situation } from "./decision-input.ts";
import type { Workload } from "../model/workload.ts";

/** A hash of what the annotations ask for: while it is the same, a source that newly counts was created, not newly asked for. */
export function optInHash(workload: Pick<Workload, "optIn">): string {
  return stableId(JSON.stringify(workload.optIn));
}

/** Whether Reloader has restarted the pods since its marks were these: it left others. */
export function reloaderRestarted(workload: Pick<Workload, "marks">, marks: string): boolean {
  return workload.marks.reloader !== "" && workload.marks.reloader !== marks;
}

/** Whether the source, which a known workload had to do without, was created: an installation or a wider scope adopts it instead. */
function createdSince(s: Situation, key: SourceKey): boolean {
  const change = s.sources.get(key)?.change;
  return s.rules.onCreate && change !== undefined && change !== "none";
}

/** Whether the source changed since (or as) its own annotations made it count. */
function changedSinceAnnotated(s: Situation, key: SourceKey): boolean {
  const { changedAt, annotatedAt } = s.sources.get(key) ?? {};
  return changedAt !== undefined && annotatedAt !== undefined && changedAt >= annotatedAt;
}

/** Whether the annotations and the template are those with which the record was made. */
function sameRequest({ record, workload }: Situation): boolean {
  return (
    record?.uid === workload.uid &&
    record.templateHash === workload.templateHash &&
    record.optIn === optInHash(workload)
  );
}

/** The latest moment at which a source can have changed last; undefined where it never did since its creation. */
function lastChange(s: Situation, key: SourceKey): number | undefined {
  const source = s.sources.get(key);
  return source?.changedAt === undefined
    ? undefined
    : source.changedAt + (source.changedWithin ?? 0);
}

/**
 * Whether the source's last write is known to be later than the workload's last edit, or its creation: etcd numbers all writes in one order. Clocks differ and
 * watches lag; but the API promises an order within a resource type only (KEP-5504), so versions overrule a clock that says "before", and never one that says "after".
 */
function isLaterByVersion(s: Situation, key: SourceKey): boolean {
  const { editedVersion } = s.workload;
  const version = s.sources.get(key)?.resourceVersion;
  if (editedVersion === undefined || version === undefined) return false;
  return compareVersions(version, editedVersion) > 0;
}

/** Whether pods that the last edit of the template started run what the source has been since its last change. */
function isBeforeEdit(s: Situation, key: SourceKey): boolean {
  const { editedAt } = s.workload;
  const changedBy = lastChange(s, key);
  if (changedBy === undefined) return true;
  return editedAt !== undefined && changedBy < editedAt && !isLaterByVersion(s, key);
}

function sameSecondOrEarlier(time: number, than: number): boolean {
  return Math.floor(time / 1_000) <= Math.floor(than / 1_000);
}

/** The content that pods run which were started with the workload's present template, as far as can be known. */
function adopt(s: Situation, key: SourceKey, present: Content): Content {
  const { workload } = s;
  if (present.digest === ABSENT) return { ...present, since: s.now };
  // Runs that a CronJob starts later read what is there then.
  if (workload.rollBy === "job") return present;
  const changedAt = s.sources.get(key)?.changedAt;
  const started = Math.max(workload.createdAt, workload.editedAt ?? 0);
  const young = workload.createdAt > s.installedAt;
  if (!young || changedAt === undefined) return present;
  const due = !sameSecondOrEarlier(changedAt, started) || isLaterByVersion(s, key);
  return due ? { ...present, digest: UNKNOWN } : present;
}

function sameKeys(a: Content, b: Content): boolean {
  return JSON.stringify(a.keys) === JSON.stringify(b.keys);
}

/** What runs now of one source: the record; where it has none, the marker; where there is none, the present content. */
function runningNow(
  s: Situation,
  key: SourceKey,
  known: Content | undefined,
  present: Content,
  marker: ReadonlyMap<SourceKey, string>,
): Content {
  if (known === undefined) {
    const marked = marker.get(key);
    if (marked !== undefined && present.digest !== ABSENT && comparable(marked, present.digest)) {
      return { ...present, digest: marked };
    }
    const newlyCounts = present.digest !== ABSENT && sameRequest(s);
    const due = newlyCounts && (createdSince(s, key) || changedSinceAnnotated(s, key));
    return due ? { ...present, digest: UNKNOWN } : adopt(s, key, present);
  }
  if (!sameKeys(known, present)) return adopt(s, key, present);
  if (known.digest === ABSENT && present.digest !== ABSENT) {
    const changedBy = lastChange(s, key);
    const changed = changedBy !== undefined && changedBy > (known.since ?? 0);
    const due = changed || createdSince(s, key);
    return due ? { ...present, digest: UNKNOWN } : present;
  }
  // Under another installation key nothing can be said: what is there is adopted anew.
  if (!comparable(known.digest, present.digest)) return present;
  return known;
}

/**
 * What runs now, per source that makes the workload roll: the record; where there is none, the marker; where there is none, the present content. A source or key
 * that the workload newly uses is adopted, since the edit that added it has rolled the pods.
 */
export function reconcileRunning(
  s: Situation,
  record: WorkloadRecord,
  present: Contents,
): Contents {
  // Only a workload without a record has its marker asked: later, the record decides.
  const marker =
    s.record?.uid === s.workload.uid
      ? new Map<SourceKey, string>()
      : parseMarker(s.workload.marker, s.workload.namespace);
  const running: Contents = {};
  for (const [key, content] of Object.entries(present) as [SourceKey, Content][]) {
    running[key] = runningNow(s, key, record.running[key], content, marker);
  }
  return running;
}

/** The record after an edit of the pod template by others: it ended what was rolling, and since it restarts the pods, what changed before it is current. */
export function reconcileEdit(
  s: Situation,
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
