import { ABSENT, UNKNOWN, comparable } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { parseMarker } from "../model/marker.ts";
import { stableId } from "@rollcast/shared/events";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";
import type { Workload } from "../model/workload.ts";
import { isLaterByVersion, lastChange, sameSecondOrEarlier } from "./edits.ts";

/**
 * A hash of the opt-in annotations: while it is unchanged, a source that newly counts was created,
 * not newly opted in.
 */
export function optInHash(workload: Pick<Workload, "optIn">): string {
  return stableId(JSON.stringify(workload.optIn));
}

/**
 * Whether a source that an existing workload lacked was created. After an installation or a wider
 * scope it is adopted instead, and so is one that is seen late: it is older than the workload.
 */
function createdSince(s: DecisionInput, key: SourceKey): boolean {
  const source = s.sources.get(key);
  if (!s.rules.onCreate || source === undefined || source.change === "none") return false;
  const { createdAt } = s.workload;
  return sameSecondOrEarlier(createdAt, source.createdAt) || isLaterByVersion(s, key);
}

/** Whether the source changed since (or while) its own annotations opted it in. */
function changedSinceAnnotated(s: DecisionInput, key: SourceKey): boolean {
  const { changedAt, annotatedAt } = s.sources.get(key) ?? {};
  return changedAt !== undefined && annotatedAt !== undefined && changedAt >= annotatedAt;
}

/** Whether the annotations and the template are still those of the record. */
function sameTemplateAndOptIn({ record, workload }: DecisionInput): boolean {
  return (
    record?.uid === workload.uid &&
    record.templateHash === workload.templateHash &&
    record.optIn === optInHash(workload)
  );
}

/** The content of pods started with the workload's present template, as far as known. */
function adopt(s: DecisionInput, key: SourceKey, present: Content): Content {
  const { workload } = s;
  if (present.digest === ABSENT) return { ...present, since: s.now };
  // Later runs of a CronJob read the content present then.
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

/**
 * The running content of one source: from the record, else the marker, else the present content.
 */
function runningNow(
  s: DecisionInput,
  key: SourceKey,
  recorded: Content | undefined,
  present: Content,
  marker: ReadonlyMap<SourceKey, string>,
): Content {
  if (recorded === undefined) {
    const marked = marker.get(key);
    if (marked !== undefined && present.digest !== ABSENT && comparable(marked, present.digest)) {
      return { ...present, digest: marked };
    }
    const newlyCounts = present.digest !== ABSENT && sameTemplateAndOptIn(s);
    const due = newlyCounts && (createdSince(s, key) || changedSinceAnnotated(s, key));
    return due ? { ...present, digest: UNKNOWN } : adopt(s, key, present);
  }
  if (!sameKeys(recorded, present)) return adopt(s, key, present);
  if (recorded.digest === ABSENT && present.digest !== ABSENT) {
    const changedBy = lastChange(s, key);
    const changed = changedBy !== undefined && changedBy > (recorded.since ?? 0);
    const due = changed || createdSince(s, key);
    return due ? { ...present, digest: UNKNOWN } : present;
  }
  // Under another installation key digests are not comparable: the present content is adopted.
  if (!comparable(recorded.digest, present.digest)) return present;
  return recorded;
}

/**
 * The running content of each source that rolls the workload: from the record, else the marker,
 * else the present content. A newly used source or key is adopted, because the edit that added it
 * has rolled the pods.
 */
export function reconcileRunning(
  s: DecisionInput,
  record: WorkloadRecord,
  present: Contents,
): Contents {
  // The marker counts only for a workload without a record.
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
