import { z } from "zod";
import { ChangedBy, ChangedKeys, SourceKind } from "./events.ts";

/** Stands for all keys of an object; no key of data can be named so. */
export const WHOLE_OBJECT = "*";

/** Texts by names. */
type TextsByName = Record<string, string>;

function isTextsByName(value: unknown): value is TextsByName {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === "string");
}

/**
 * Texts by names that others choose. What is read has no prototype, so that `__proto__` and
 * `constructor` are names like others; zod's own record leaves the first out.
 */
const ByForeignName = z
  .custom<TextsByName>(isTextsByName, "must be an object of texts")
  .transform((texts): TextsByName => Object.assign(Object.create(null) as TextsByName, texts));

/** So many changes are remembered before the last: more between two looks are nobody's work. */
const MAX_EARLIER_CHANGES = 4;

const EarlierChange = z.object({
  /** When it was observed, as `changedAt`. */
  at: z.number(),
  /** Which keys differed; absent where they were too many: then any may have. */
  keys: z.array(z.string()).optional(),
});
type EarlierChange = z.infer<typeof EarlierChange>;

/**
 * The record of a source in the KV bucket `sources`: written by the watcher, read by the restarter,
 * so it is a contract between services. Holds digests, never a value. A reader that meets a larger
 * `v` leaves the record alone.
 */
export const SourceRecord = z.object({
  v: z.literal(1),
  kind: SourceKind,
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  /** Orderable as a decimal integer within one resource type (KEP-5504). */
  resourceVersion: z.string(),
  /**
   * Id of the installation key under which `digests` were made; under another id they are not
   * comparable.
   */
  keyId: z.string(),
  /**
   * Key of the object's data -> 32 hex digits. Kept after deletion, so that a re-creation with the
   * same data is no change. An object with too many keys for a record has one entry,
   * {@link WHOLE_OBJECT}, over all of them.
   */
  digests: ByForeignName,
  /** `pending` until the event of this record is acknowledged by the stream. */
  state: z.enum(["pending", "published"]),
  /** What the event says; `none` for what the first sync or a new key adopted. */
  change: z.enum(["none", "created", "changed", "deleted"]),
  changedKeys: ChangedKeys.optional(),
  changedBy: ChangedBy.optional(),
  reason: z.string().optional(),
  /**
   * When the watcher observed the last change of content that was not the creation; milliseconds
   * since the epoch.
   */
  changedAt: z.number().optional(),
  /**
   * How exact `changedAt` is, in milliseconds: 0 where the watcher saw the change happen, 999 where
   * it is the second that managedFields names.
   */
  changedWithin: z.number().optional(),
  /**
   * How many changes of content there were since the record was made first: their times may be
   * equal.
   */
  changeCount: z.number().optional(),
  /** The changes of content before the last one, oldest first, at most 4. */
  earlierChanges: z.array(EarlierChange).optional(),
  /** When the object was created by its own metadata; milliseconds since the epoch. */
  createdAt: z.number(),
  /** When the watcher found it gone; milliseconds since the epoch. Absent while it exists. */
  deletedAt: z.number().optional(),
  /**
   * Where the last change of content was that it was made again: when it was found gone before, and
   * a version that is no older than the deletion.
   */
  tombstone: z.object({ deletedAt: z.number(), resourceVersion: z.string() }).optional(),
  /**
   * Annotations that matter, by their own names (`reloader.stakater.com/ignore`, `.../match`,
   * `rollcast.dev/ignore`, `rollcast.dev/match`, or as renamed).
   */
  annotations: ByForeignName,
  /**
   * When the watcher found them other than before; that of the content where both changed in one
   * step. Milliseconds since the epoch.
   */
  annotatedAt: z.number().optional(),
  /** W3C trace context of the change that was published last; absent where it was not traced. */
  traceparent: z.string().optional(),
  /**
   * The resourceVersion that was replaced by an older one when the cluster was restored from a
   * backup; makes the event's id another.
   */
  restoredFrom: z.string().optional(),
});
export type SourceRecord = z.infer<typeof SourceRecord>;

/** The names of the keys that differ; undefined where not all are known: then any may. */
export function changedNames(keys: ChangedKeys | undefined): readonly string[] | undefined {
  if (keys === undefined || keys.more !== undefined) return undefined;
  return [...keys.added, ...keys.changed, ...keys.removed];
}

/** More names than these of an earlier change are not kept: a record is read by everybody. */
const MAX_EARLIER_KEYS = 8;

/**
 * How the record that replaces this one counts one more change of content, and remembers those
 * before it: who reads that may have read none of them.
 */
export function recordChange(
  before: SourceRecord,
): Pick<SourceRecord, "changeCount" | "earlierChanges"> {
  const { changeCount = 0, changedAt, changedKeys: last, earlierChanges = [] } = before;
  if (changedAt === undefined) return { changeCount: changeCount + 1 };
  const names = changedNames(last);
  const isKept = names !== undefined && names.length <= MAX_EARLIER_KEYS;
  const change: EarlierChange = { at: changedAt, ...(isKept ? { keys: [...names] } : {}) };
  const changes = [...earlierChanges, change].slice(-MAX_EARLIER_CHANGES);
  return { changeCount: changeCount + 1, earlierChanges: changes };
}
