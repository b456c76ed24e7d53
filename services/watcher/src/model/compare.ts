import { compareVersions } from "@rollcast/kube/resource-version";
import type { ChangedBy } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Editor, Seen } from "./transform.ts";
import { changedKeys, sameEntries } from "./changed-keys.ts";
import type { Circumstances, Gone } from "./observation.ts";
import { changeTime, editedAfterCreation, setterOf } from "./change-time.ts";

function by(editor: Editor | undefined): { changedBy?: ChangedBy } {
  if (editor === undefined) return {};
  const { manager, time } = editor;
  const told = time === undefined ? {} : { time: new Date(time).toISOString() };
  return { changedBy: { manager, ...told } };
}

function base(seen: Seen, at: Circumstances) {
  return {
    v: 1,
    kind: seen.kind,
    namespace: seen.namespace,
    name: seen.name,
    uid: seen.uid,
    resourceVersion: seen.resourceVersion,
    keyId: at.keyId,
    digests: { ...seen.digests },
    createdAt: seen.createdAt,
    annotations: { ...seen.annotations },
  } as const;
}

function adopted(seen: Seen, at: Circumstances): SourceRecord {
  const told = { state: "published", change: "none" } as const;
  return { ...base(seen, at), ...editedAfterCreation(seen), ...by(seen.editors[0]), ...told };
}

function created(seen: Seen, at: Circumstances, reason: string): SourceRecord {
  return {
    ...base(seen, at),
    ...editedAfterCreation(seen),
    ...by(seen.editors[0]),
    state: "pending",
    change: "created",
    changedKeys: changedKeys({}, seen.digests),
    reason,
  };
}

/** What is not newer is no news; under another installation key the same version is, since nothing of it can be compared. */
function isOlder(
  known: SourceRecord,
  resourceVersion: string,
  at: { readonly restored: boolean; readonly keyId?: string },
): boolean {
  const order = compareVersions(resourceVersion, known.resourceVersion);
  const rekeyed = at.keyId !== undefined && at.keyId !== known.keyId;
  return !at.restored && (rekeyed ? order < 0 : order <= 0);
}

/** What the event's id needs when the version goes back. */
function restoredFrom(known: SourceRecord, resourceVersion: string): { restoredFrom?: string } {
  const back = compareVersions(resourceVersion, known.resourceVersion) <= 0;
  return back ? { restoredFrom: known.resourceVersion } : {};
}

/** When the annotations became what they are. */
function annotated(known: SourceRecord, seen: Seen, now: number): { annotatedAt?: number } {
  const annotatedAt = sameEntries(known.annotations, seen.annotations) ? known.annotatedAt : now;
  return annotatedAt === undefined ? {} : { annotatedAt };
}

/** What is kept of a record whose content is the same: what was told of it last. */
function carried(known: SourceRecord, seen: Seen, at: Circumstances): SourceRecord {
  const { deletedAt: _, ...rest } = known;
  return { ...rest, ...base(seen, at), ...annotated(known, seen, at.now) };
}

/**
 * The record to write for a source that is there, or undefined where the known one says it all. Its state says whether an event is due.
 * `known` must not be pending: what it tells is published first.
 */
export function compare(
  known: SourceRecord | undefined,
  seen: Seen,
  at: Circumstances,
): SourceRecord | undefined {
  if (known === undefined) return at.covered ? created(seen, at, "created") : adopted(seen, at);
  if (isOlder(known, seen.resourceVersion, at)) return undefined;
  const back = restoredFrom(known, seen.resourceVersion);
  const wasDeleted = known.deletedAt !== undefined;
  if (known.keyId !== at.keyId) {
    return wasDeleted ? { ...created(seen, at, "recreated"), ...back } : adopted(seen, at);
  }
  if (!sameEntries(known.digests, seen.digests)) {
    const keys = changedKeys(known.digests, seen.digests);
    const setter = setterOf(keys, seen);
    const time = changeTime(setter, at);
    return {
      ...base(seen, at),
      ...by(setter ?? seen.editors[0]),
      ...time,
      ...annotated(known, seen, time.changedAt),
      ...back,
      state: "pending",
      change: "changed",
      changedKeys: keys,
      reason: wasDeleted || known.uid !== seen.uid ? "recreated" : "data",
    };
  }
  if (wasDeleted) {
    const { changedAt, changedWithin } = known;
    const times = changedAt === undefined ? {} : { changedAt, changedWithin: changedWithin ?? 0 };
    const marked = annotated(known, seen, at.now);
    return { ...created(seen, at, "recreated"), ...times, ...marked, ...back };
  }
  const same =
    known.uid === seen.uid &&
    sameEntries(known.annotations, seen.annotations) &&
    compareVersions(seen.resourceVersion, known.resourceVersion) >= 0;
  return same ? undefined : carried(known, seen, at);
}

/** The record to write for a source that is gone, or undefined where nothing is to be told. `known` must not be pending. */
export function compareGone(
  known: SourceRecord | undefined,
  gone: Gone,
  at: Pick<Circumstances, "now" | "restored">,
): SourceRecord | undefined {
  if (known === undefined || isOlder(known, gone.resourceVersion, at)) return undefined;
  const back = restoredFrom(known, gone.resourceVersion);
  if (known.deletedAt !== undefined) {
    const older = compareVersions(gone.resourceVersion, known.resourceVersion) < 0;
    return older ? { ...known, resourceVersion: gone.resourceVersion } : undefined;
  }
  const { restoredFrom: _, changedBy: __, ...rest } = known;
  return {
    ...rest,
    ...back,
    ...(gone.uid === undefined ? {} : { uid: gone.uid }),
    resourceVersion: gone.resourceVersion,
    state: "pending",
    change: "deleted",
    changedKeys: changedKeys(known.digests, {}),
    reason: "deleted",
    deletedAt: at.now,
  };
}
