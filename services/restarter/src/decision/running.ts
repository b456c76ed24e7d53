import { ABSENT, UNKNOWN, comparable } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { parseMarker } from "../model/marker.ts";
import { stableId } from "@rollcast/shared/events";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";
import type { Workload } from "../model/workload.ts";
import { isLaterByVersion, lastChange, sameSecondOrEarlier } from "./edits.ts";

/** A hash of what the annotations ask for: while it is the same, a source that newly counts was created, not newly asked for. */
export function optInHash(workload: Pick<Workload, "optIn">): string {
  return stableId(JSON.stringify(workload.optIn));
}

/** Whether the source, which a known workload had to do without, was created: an installation or a wider scope adopts it instead. */
function createdSince(s: DecisionInput, key: SourceKey): boolean {
  const change = s.sources.get(key)?.change;
  return s.rules.onCreate && change !== undefined && change !== "none";
}

/** Whether the source changed since (or as) its own annotations made it count. */
function changedSinceAnnotated(s: DecisionInput, key: SourceKey): boolean {
  const { changedAt, annotatedAt } = s.sources.get(key) ?? {};
  return changedAt !== undefined && annotatedAt !== undefined && changedAt >= annotatedAt;
}

/** Whether the annotations and the template are those with which the record was made. */
function sameRequest({ record, workload }: DecisionInput): boolean {
  return (
    record?.uid === workload.uid &&
    record.templateHash === workload.templateHash &&
    record.optIn === optInHash(workload)
  );
}

/** The content that pods run which were started with the workload's present template, as far as can be known. */
function adopt(s: DecisionInput, key: SourceKey, present: Content): Content {
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
  s: DecisionInput,
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
  s: DecisionInput,
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
