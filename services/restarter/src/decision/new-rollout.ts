import type { Cause } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput } from "./decision.ts";
import { contentsHash, formatMarker, restartTime, sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { keysApart } from "../model/marker-keys.ts";
import { changesOf } from "../model/control-entry.ts";
import { decidedRollout } from "./applied.ts";
import { openRequest } from "./requested.ts";
import type { Workload } from "../model/workload.ts";
import { lastChange, newestChange } from "./running-content.ts";

/** When a source got its present content or was deleted; a creation's time has whole seconds. */
function contentSince({ changedAt, createdAt, deletedAt = 0 }: SourceRecord): number {
  // What is made again with the content of before was changed before it was created.
  return Math.max(changedAt ?? 0, createdAt, deletedAt);
}

/** The source that changed, was created or was deleted last. */
export function causeOf(s: DecisionInput, keys: readonly SourceKey[]): Cause | undefined {
  const sources = keys.map((key) => s.sources.get(key)).filter((source) => source !== undefined);
  const [newest] = sources.toSorted((a, b) => contentSince(b) - contentSince(a));
  if (newest === undefined) return undefined;
  const { kind, namespace, name, changedKeys, changedBy, changedAt } = newest;
  return {
    kind,
    namespace,
    name,
    changedKeys,
    changedBy,
    changedAt: changedAt === undefined ? undefined : new Date(changedAt).toISOString(),
  };
}

/** How many workloads the cause rolls; omitted if unknown. */
function affectedBy(s: DecisionInput, cause: Cause | undefined): { affected?: number } {
  if (cause === undefined) return {};
  const key = sourceKey(cause.kind, cause.namespace, cause.name);
  const record = s.sources.get(key);
  // At least this workload: the index may lag.
  return record === undefined ? {} : { affected: Math.max(1, s.affected(key, record)) };
}

/** A creation's time has whole seconds: it was within this time after it. */
const SECOND_MS = 1_000;

/** The latest time at which one of the sources can have got its present content. */
function latestChange(s: DecisionInput, keys: readonly SourceKey[]): number {
  const times = keys.map((key) => {
    const { createdAt, deletedAt = 0 } = s.sources.get(key) ?? {};
    const created = createdAt === undefined ? 0 : createdAt + SECOND_MS;
    return Math.max(lastChange(s, key) ?? created, deletedAt);
  });
  const latest = Math.max(0, ...times);
  return latest === 0 ? s.now : latest;
}

function markerOf(
  s: DecisionInput,
  record: WorkloadRecord,
  wanted: Contents,
  keys: readonly SourceKey[],
): string {
  const { workload } = s;
  if (workload.rollBy === "restart") return restartTime(latestChange(s, keys), workload.marker);
  const plain = formatMarker(wanted, workload.namespace);
  // If the template already has this marker (a rollback), writing it again would not restart its
  // pods. While pods of an earlier marker may be left, they must not count as those of this one.
  const arePodsLeft =
    record.phase === "rolling" ||
    record.phase === "failed" ||
    record.stripped !== undefined ||
    workload.leftPods !== undefined ||
    // Another installation ended our last rollout, wherever that was.
    keysApart(plain, workload.marker) !== undefined;
  return workload.marker === plain || arePodsLeft
    ? formatMarker(wanted, workload.namespace, workload.generation)
    : plain;
}

/** Whether every pod has the present template. */
function isAtRest({ status }: Workload): boolean {
  return status.state === "complete" && status.reason === undefined;
}

export function newRollout(
  s: DecisionInput,
  record: WorkloadRecord,
  wanted: Contents,
  keys: SourceKey[],
) {
  const { workload } = s;
  const cause = causeOf(s, keys);
  // An interrupted rollout keeps its id, so that what it has done already is detected.
  const before = decidedRollout(record);
  // With other content it is another one: both may have been applied.
  const isSame = before !== undefined && contentsHash(before.wanted) === contentsHash(wanted);
  const pending = isSame ? before : undefined;
  const rollout: Rollout = {
    id: pending?.id ?? s.newId,
    wanted,
    changed: keys.length,
    guard: workload.generation,
    marker: markerOf(s, record, wanted, keys),
    templateHash: workload.templateHash,
    replaced: isAtRest(workload) ? workload.templateHash : undefined,
    decidedAt: pending?.decidedAt ?? s.now,
    queue: s.admission.queue,
    quota: s.admission.quota === "none" ? undefined : true,
    changes: changesOf(s.sources, keys),
    cause,
    requestedBy: keys.length === 0 ? (openRequest(record)?.by ?? "") : undefined,
    changedAt: newestChange(s, keys),
    revision: workload.revision,
    ...affectedBy(s, cause),
  };
  return rollout;
}
