import { ABSENT, UNKNOWN, comparable } from "./content.ts";
import type { Content, SourceKey } from "./content.ts";
import { parseMarker } from "./marker.ts";
import { superseded } from "./outcomes.ts";
import type { WorkloadRecord } from "./record.ts";
import type { Contents, Situation } from "./situation.ts";

/** The latest moment at which a source can have changed last; undefined where it never did since its creation. */
function lastChange(s: Situation, key: SourceKey): number | undefined {
  const source = s.sources.get(key);
  return source?.changedAt === undefined
    ? undefined
    : source.changedAt + (source.changedWithin ?? 0);
}

function sameSecondOrEarlier(time: number, than: number): boolean {
  return Math.floor(time / 1_000) <= Math.floor(than / 1_000);
}

/** The content that pods run which were started with the workload's present template, as far as can be known. */
function adopt(s: Situation, key: SourceKey, present: Content): Content {
  const { workload } = s;
  if (present.digest === ABSENT) return { ...present, since: s.now };
  const changedAt = s.sources.get(key)?.changedAt;
  const started = Math.max(workload.createdAt, workload.editedAt ?? 0);
  const young = workload.createdAt > s.installedAt;
  const due = young && changedAt !== undefined && !sameSecondOrEarlier(changedAt, started);
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
    return adopt(s, key, present);
  }
  if (!sameKeys(known, present)) return adopt(s, key, present);
  if (known.digest === ABSENT && present.digest !== ABSENT) {
    const changedBy = lastChange(s, key);
    const due = changedBy !== undefined && changedBy > (known.since ?? 0);
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
  if (workload.templateHash === record.templateHash) return record;
  const { rollout, ...rest } = record;
  let next: WorkloadRecord = { ...rest, templateHash: workload.templateHash };
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
    const changedBy = lastChange(s, key);
    const before = changedBy === undefined || changedBy < editedAt;
    if (before && running[key] !== undefined && content.digest !== ABSENT) running[key] = content;
  }
  return { ...next, running };
}
