import { stableId } from "@rollcast/shared/events";
import { sourceEvent } from "@rollcast/shared/event-builders";
import type { SourceData, SourceEvent } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { sourceSubject } from "@rollcast/shared/subjects";
import type { Subject } from "@rollcast/shared/subjects";

function timeOf(record: SourceRecord): number {
  if (record.change === "deleted") return record.deletedAt ?? record.createdAt;
  if (record.change === "created") return record.createdAt;
  return record.changedAt ?? record.createdAt;
}

/**
 * Tells contents apart: in a cluster that was restored from a backup one object may have other content under a version that it had before, and
 * the stream would take the second event for the first. What the digests are of cannot be found out from it.
 */
function contentOf({ digests }: SourceRecord): string {
  return stableId(
    ...Object.keys(digests)
      .sort()
      .flatMap((key) => [key, digests[key] ?? ""]),
  );
}

/**
 * The event that a pending record is due, the same each time it is made: whoever finds the record publishes it under the same id, made of
 * cluster, uid, version, type and content. Undefined where the record has nothing to tell.
 */
export function eventOf(
  cluster: string,
  record: SourceRecord,
): { subject: Subject; event: SourceEvent } | undefined {
  const { change, kind, namespace, name, uid, resourceVersion } = record;
  if (change === "none") return undefined;
  const restored = record.restoredFrom === undefined ? [] : ["restored", record.restoredFrom];
  const id = stableId(cluster, uid, resourceVersion, change, contentOf(record), ...restored);
  const data: SourceData = {
    kind,
    namespace,
    name,
    uid,
    resourceVersion,
    changedKeys: record.changedKeys ?? { added: [], changed: [], removed: [] },
    ...(record.changedBy === undefined ? {} : { changedBy: record.changedBy }),
    reason: record.reason ?? change,
  };
  const parts = { id, cluster, service: "watcher", time: timeOf(record) };
  const event = sourceEvent(parts, change, data);
  const { traceparent } = record;
  return {
    subject: sourceSubject(cluster, change, record),
    event: traceparent === undefined ? event : { ...event, traceparent },
  };
}
