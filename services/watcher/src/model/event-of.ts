import { sourceEvent } from "@rollcast/shared/event-builders";
import { stableId } from "@rollcast/shared/events";
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
 * Distinguishes contents in the event's id. In a cluster restored from a backup, an object may have
 * other content under a version that it had before, and the stream would drop the second event as a
 * duplicate. The digested values cannot be derived from it.
 */
function contentOf({ digests }: SourceRecord): string {
  return stableId(
    ...Object.keys(digests)
      .sort()
      .flatMap((key) => [key, digests[key] ?? ""]),
  );
}

/**
 * The event of a pending record. It is deterministic: every replica that finds the record publishes
 * it under the same id, made of cluster, uid, version, type and content. Undefined if the record
 * has no event.
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
    changedBy: record.changedBy,
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
