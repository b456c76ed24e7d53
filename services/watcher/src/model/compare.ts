import { compareVersions } from "@rollcast/kube/resource-version";
import type { ChangedBy } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Editor, ObservedSource } from "./transform.ts";
import { changedKeys, sameEntries } from "./changed-keys.ts";
import type { Circumstances, DeletedSource } from "./observation.ts";
import { changeTime, editedAfterCreation, setterOf } from "./change-time.ts";
import { isOlder, restoredFrom } from "./record-version.ts";

function by(editor: Editor | undefined): { changedBy?: ChangedBy } {
  if (editor === undefined) return {};
  const { manager, time } = editor;
  const extra = time === undefined ? {} : { time: new Date(time).toISOString() };
  return { changedBy: { manager, ...extra } };
}

function base(observed: ObservedSource, at: Circumstances) {
  return {
    v: 1,
    kind: observed.kind,
    namespace: observed.namespace,
    name: observed.name,
    uid: observed.uid,
    resourceVersion: observed.resourceVersion,
    keyId: at.keyId,
    digests: { ...observed.digests },
    createdAt: observed.createdAt,
    annotations: { ...observed.annotations },
  } as const;
}

function adopted(observed: ObservedSource, at: Circumstances): SourceRecord {
  const extra = { state: "published", change: "none" } as const;
  return {
    ...base(observed, at),
    ...editedAfterCreation(observed),
    ...by(observed.editors[0]),
    ...extra,
  };
}

function created(observed: ObservedSource, at: Circumstances, reason: string): SourceRecord {
  return {
    ...base(observed, at),
    ...editedAfterCreation(observed),
    ...by(observed.editors[0]),
    state: "pending",
    change: "created",
    changedKeys: changedKeys({}, observed.digests),
    reason,
  };
}

/** When the annotations last changed. */
function annotated(
  record: SourceRecord,
  observed: ObservedSource,
  now: number,
): { annotatedAt?: number } {
  const annotatedAt = sameEntries(record.annotations, observed.annotations)
    ? record.annotatedAt
    : now;
  return annotatedAt === undefined ? {} : { annotatedAt };
}

/** The record of a source whose content is unchanged; keeps what was published last. */
function carried(record: SourceRecord, observed: ObservedSource, at: Circumstances): SourceRecord {
  const { deletedAt: _, ...rest } = record;
  return { ...rest, ...base(observed, at), ...annotated(record, observed, at.now) };
}

/**
 * The record to write for an existing source, or undefined if `record` is up to date. Its state
 * says whether an event is due. `record` must not be pending: its event is published first.
 */
export function compare(
  record: SourceRecord | undefined,
  observed: ObservedSource,
  at: Circumstances,
): SourceRecord | undefined {
  if (record === undefined)
    return at.covered ? created(observed, at, "Created") : adopted(observed, at);
  if (isOlder(record, observed.resourceVersion, at)) return undefined;
  const back = restoredFrom(record, observed.resourceVersion);
  const wasDeleted = record.deletedAt !== undefined;
  if (record.keyId !== at.keyId) {
    return wasDeleted ? { ...created(observed, at, "Recreated"), ...back } : adopted(observed, at);
  }
  if (!sameEntries(record.digests, observed.digests)) {
    const keys = changedKeys(record.digests, observed.digests);
    const setter = setterOf(keys, observed);
    const time = changeTime(setter, at);
    return {
      ...base(observed, at),
      ...by(setter ?? observed.editors[0]),
      ...time,
      ...annotated(record, observed, time.changedAt),
      ...back,
      state: "pending",
      change: "changed",
      changedKeys: keys,
      reason: wasDeleted || record.uid !== observed.uid ? "Recreated" : "DataChanged",
    };
  }
  if (wasDeleted) {
    const { changedAt, changedWithin } = record;
    const times = changedAt === undefined ? {} : { changedAt, changedWithin: changedWithin ?? 0 };
    const marked = annotated(record, observed, at.now);
    return { ...created(observed, at, "Recreated"), ...times, ...marked, ...back };
  }
  const same =
    record.uid === observed.uid &&
    sameEntries(record.annotations, observed.annotations) &&
    compareVersions(observed.resourceVersion, record.resourceVersion) >= 0;
  return same ? undefined : carried(record, observed, at);
}

/**
 * The record to write for a deleted source, or undefined if no event is due. `record` must not be
 * pending.
 */
export function compareDeleted(
  record: SourceRecord | undefined,
  deleted: DeletedSource,
  at: Pick<Circumstances, "now" | "restored">,
): SourceRecord | undefined {
  if (record === undefined || isOlder(record, deleted.resourceVersion, at)) return undefined;
  const back = restoredFrom(record, deleted.resourceVersion);
  if (record.deletedAt !== undefined) {
    const older = compareVersions(deleted.resourceVersion, record.resourceVersion) < 0;
    return older ? { ...record, resourceVersion: deleted.resourceVersion } : undefined;
  }
  const { restoredFrom: _, changedBy: __, ...rest } = record;
  return {
    ...rest,
    ...back,
    ...(deleted.uid === undefined ? {} : { uid: deleted.uid }),
    resourceVersion: deleted.resourceVersion,
    state: "pending",
    change: "deleted",
    changedKeys: changedKeys(record.digests, {}),
    reason: "Deleted",
    deletedAt: at.now,
  };
}
