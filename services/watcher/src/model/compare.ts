import { compareVersions } from "@rollcast/kube/resource-version";
import { sourceEvent } from "@rollcast/shared/event-builders";
import { stableId } from "@rollcast/shared/events";
import type { ChangedBy, ChangedKeys, SourceData, SourceEvent } from "@rollcast/shared/events";
import { recordChange } from "@rollcast/shared/records";
import type { SourceRecord } from "@rollcast/shared/records";
import { sourceSubject } from "@rollcast/shared/subjects";
import type { Subject } from "@rollcast/shared/subjects";
import type { DeletedSource, Editor, Observation, ObservedSource } from "./transform.ts";

/** The circumstances of an observation, for comparing it with the record. */
export type Circumstances = Observation & {
  /** Id of the installation key that made the digests. */
  readonly keyId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The first sync of this kind and namespace is complete, so a source without a record is new. */
  readonly covered: boolean;
};

const MAX_KEY_NAMES = 100;
/**
 * How many bytes of JSON they may take: an event has 64 KiB. Ids of the CSI driver may be long and
 * of any script; all names that a ConfigMap can have fit.
 */
const MAX_KEY_NAMES_BYTES = 40_000;
/** Times in managedFields are truncated to whole seconds. */
const SECOND_MS = 999;
/** A change observed within this time after the edit was observed live. */
const LIVE_MS = 2_000;

type Digests = Readonly<Record<string, string>>;

/** Names of the keys that differ, sorted, at most 100 in the three lists together, and 40 kB. */
export function changedKeys(before: Digests, after: Digests): ChangedKeys {
  const names = Object.keys(after).sort();
  const added = names.filter((key) => !Object.hasOwn(before, key));
  const changed = names.filter((key) => Object.hasOwn(before, key) && before[key] !== after[key]);
  const removed = Object.keys(before)
    .sort()
    .filter((key) => !Object.hasOwn(after, key));
  const total = added.length + changed.length + removed.length;
  let named = 0;
  let bytes = 0;
  const fits = (key: string) => {
    const size = Buffer.byteLength(JSON.stringify(key)) + 1;
    if (named === MAX_KEY_NAMES || bytes + size > MAX_KEY_NAMES_BYTES) return false;
    named += 1;
    bytes += size;
    return true;
  };
  const kept = {
    changed: changed.filter(fits),
    added: added.filter(fits),
    removed: removed.filter(fits),
  };
  return { ...kept, more: total > named ? total - named : undefined };
}

export function sameEntries(a: Digests, b: Digests): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

type ChangeTime = { changedAt: number; changedWithin: number };

/** The newest editor that set one of the added or changed keys. */
function setterOf(keys: ChangedKeys, { editors }: ObservedSource): Editor | undefined {
  const set = [...keys.added, ...keys.changed];
  return editors.find((editor) => set.some((key) => editor.keys?.has(key) ?? true));
}

/**
 * When the change happened. An editor's time counts only for keys that it set, because removing a
 * key leaves the times unchanged. If the change was observed live, our clock is more exact, but it
 * was in the editor's second: watches lag. If nothing better is known, it is now, which is never
 * too early.
 */
function changeTime(setter: Editor | undefined, at: Circumstances): ChangeTime {
  const editedAt = setter?.time;
  const live =
    at.origin === "watch" && (editedAt === undefined || Math.abs(at.now - editedAt) < LIVE_MS);
  if (editedAt === undefined) return { changedAt: at.now, changedWithin: 0 };
  if (!live) return { changedAt: editedAt, changedWithin: SECOND_MS };
  return { changedAt: Math.min(at.now, editedAt + SECOND_MS), changedWithin: 0 };
}

/** For a source without a record: when its data was edited after its creation. */
function editedAfterCreation({ editors, createdAt }: ObservedSource): Partial<ChangeTime> {
  const time = editors[0]?.time;
  if (time === undefined || time <= createdAt) return {};
  return { changedAt: time, changedWithin: SECOND_MS };
}

/**
 * Whether an observation is not newer than the record. Under another installation key the same
 * version counts as newer, because its digests cannot be compared.
 */
function isOlder(
  record: SourceRecord,
  resourceVersion: string,
  at: { readonly restored: boolean; readonly keyId?: string },
): boolean {
  const order = compareVersions(resourceVersion, record.resourceVersion);
  const rekeyed = at.keyId !== undefined && at.keyId !== record.keyId;
  return !at.restored && (rekeyed ? order < 0 : order <= 0);
}

/** The version that was restored from, which the event's id includes when the version goes back. */
function restoredFrom(record: SourceRecord, resourceVersion: string): { restoredFrom?: string } {
  const back = compareVersions(resourceVersion, record.resourceVersion) <= 0;
  return back ? { restoredFrom: record.resourceVersion } : {};
}

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
  return {
    ...base(observed, at),
    ...editedAfterCreation(observed),
    ...by(observed.editors[0]),
    state: "published",
    change: "none",
  };
}

function created(observed: ObservedSource, at: Circumstances, reason: string): SourceRecord {
  return {
    ...adopted(observed, at),
    state: "pending",
    change: "created",
    changedKeys: changedKeys({}, observed.digests),
    reason,
  };
}

function tombstoneOf({ deletedAt, resourceVersion }: SourceRecord): SourceRecord["tombstone"] {
  return deletedAt === undefined ? undefined : { deletedAt, resourceVersion };
}

/** When the annotations last changed. */
function annotatedAt(record: SourceRecord, observed: ObservedSource, now: number) {
  return sameEntries(record.annotations, observed.annotations) ? record.annotatedAt : now;
}

/** The record of a source whose content is unchanged; keeps what was published last. */
function carried(record: SourceRecord, observed: ObservedSource, at: Circumstances): SourceRecord {
  const { deletedAt: _, ...rest } = record;
  const next = { ...rest, ...base(observed, at) };
  return { ...next, annotatedAt: annotatedAt(record, observed, at.now) };
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
      ...recordChange(record),
      annotatedAt: annotatedAt(record, observed, time.changedAt),
      ...back,
      state: "pending",
      change: "changed",
      changedKeys: keys,
      reason: wasDeleted || record.uid !== observed.uid ? "Recreated" : "DataChanged",
      tombstone: tombstoneOf(record),
    };
  }
  if (wasDeleted) {
    const { changeCount, changedAt, changedWithin, earlierChanges } = record;
    const dated = changedAt === undefined ? {} : { changedAt, changedWithin: changedWithin ?? 0 };
    const times = { ...dated, changeCount, earlierChanges };
    const marked = annotatedAt(record, observed, at.now);
    return { ...created(observed, at, "Recreated"), ...times, annotatedAt: marked, ...back };
  }
  const isSame =
    record.uid === observed.uid && sameEntries(record.annotations, observed.annotations);
  const isBack = compareVersions(observed.resourceVersion, record.resourceVersion) < 0;
  return isSame && !isBack ? undefined : carried(record, observed, at);
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
  const { restoredFrom: _, changedBy: __, tombstone: ___, ...rest } = record;
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
