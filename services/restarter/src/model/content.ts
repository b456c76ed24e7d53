import { createHash } from "node:crypto";
import { stableId } from "@rollcast/shared/events";
import type { SourceKind } from "@rollcast/shared/events";
import { z } from "zod";
import type { Installation } from "@rollcast/nats/installation";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Keys } from "./source-references.ts";
import type { Workload } from "./workload.ts";
import type { WorkloadRecord } from "./workload-record.ts";

/** Identifies a source: `<kind>/<namespace>/<name>`. */
export type SourceKey = `${string}/${string}/${string}`;

/** The keys of a source that a workload uses, and their combined digest. */
export const Content = z.object({
  keys: z.union([z.literal("*"), z.array(z.string()).readonly()]),
  /** `<id of the installation key>.<32 hex digits>`, {@link ABSENT}, or {@link UNKNOWN}. */
  digest: z.string(),
  /**
   * For {@link ABSENT}: absent since this time (ms since the epoch). Pods may lack a later change.
   */
  since: z.number().optional(),
  /**
   * For {@link ABSENT}: the version by which the source was found gone, if that was before the
   * workload was made. Only when it comes back from that deletion has no pod had what was before.
   */
  gone: z.string().optional(),
  /**
   * The changes of the source that it takes in, as the source's record counts them. Absent where an
   * earlier version wrote the record.
   */
  changeCount: z.number().optional(),
});
export type Content = z.infer<typeof Content>;

/** The source did not exist. */
export const ABSENT = "absent";
/** Pods may run content from before a change; any present content is newer. */
export const UNKNOWN = "unknown";

export function sourceKey(kind: string, namespace: string, name: string): SourceKey {
  return `${kind}/${namespace}/${name}`;
}

/** Splits a source key into its parts. */
export function splitSourceKey(key: SourceKey): {
  kind: SourceKind;
  namespace: string;
  name: string;
} {
  const [kind = "", namespace = "", name = ""] = key.split("/");
  return { kind: kind as SourceKind, namespace, name };
}

/**
 * The digest of the used keys: SHA-256, cut to 128 bits, over the sorted pairs of key and key
 * digest (null if the source lacks the key), prefixed with the id of the installation key. Digests
 * made under different installation keys are not comparable.
 */
export function contentDigest(source: SourceRecord | undefined, keys: Keys): string {
  if (source === undefined || source.deletedAt !== undefined) return ABSENT;
  const used = keys === "*" ? Object.keys(source.digests).toSorted() : keys;
  const pairs = used.map((key) => [
    key,
    Object.hasOwn(source.digests, key)
      ? source.digests[key]
      : // An object with too many keys has one digest for all of them.
        (source.digests[WHOLE_OBJECT] ?? null),
  ]);
  const hash = createHash("sha256").update(JSON.stringify(pairs)).digest("hex").slice(0, 32);
  return `${source.keyId}.${hash}`;
}

/** Whether two digests were made under the same installation key. */
export function comparable(a: string, b: string): boolean {
  const keyOf = (digest: string) => (digest.includes(".") ? digest.split(".", 1)[0] : undefined);
  const [left, right] = [keyOf(a), keyOf(b)];
  return left === undefined || right === undefined || left === right;
}

/** A hash that is equal for equal sources, keys and digests. */
export function contentsHash(contents: Readonly<Record<string, Content>>): string {
  const pairs = Object.entries(contents)
    .map(([key, { keys, digest }]) => [key, keys, digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return stableId(JSON.stringify(pairs));
}

type Digests = Readonly<Record<SourceKey, { readonly digest: string }>>;

/** The annotation on the pod template that records the content its pods started with. */
export const MARKER = "rollcast.dev/config";
const AGAIN = "again";
const MAX_MARKER = 131_072;

function shortKey(key: SourceKey, namespace: string): string {
  const [kind, sourceNamespace, name] = key.split("/");
  return sourceNamespace === namespace ? `${kind}/${name}` : key;
}

/**
 * The marker: compact JSON `{"<kind>/<name>": "<digest of the keys used>"}` with sorted keys
 * (`<kind>/<namespace>/<name>` for another namespace). It holds no time, so writing it twice
 * changes nothing. `again` makes a marker that differs from the one a rollback left on the template
 * for the same content. It is the generation being replaced, so a retry writes the same marker.
 */
export function formatMarker(contents: Digests, namespace: string, again?: number): string {
  return JSON.stringify({
    ...digestsOf(contents, namespace),
    ...(again === undefined ? {} : { [AGAIN]: String(again) }),
  });
}

function digestsOf(contents: Digests, namespace: string): Record<string, string> {
  const pairs = Object.entries(contents)
    .filter(([, content]) => content.digest !== ABSENT && content.digest !== UNKNOWN)
    .map(([key, content]) => [shortKey(key as SourceKey, namespace), content.digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(pairs);
}

const RESTART_AT = "restartAt";

/**
 * With which content pods are restarted by a time, as the annotation of their workload says it: the
 * digests of a marker, and the time that they are of.
 */
export function formatRestart(contents: Digests, namespace: string, restartAt: string): string {
  return JSON.stringify({ ...digestsOf(contents, namespace), [RESTART_AT]: restartAt });
}

/** That annotation, if it is of this time: who restarts the pods otherwise leaves it as it is. */
export function restartedWith(
  text: string | undefined,
  restartAt: string | undefined,
): string | undefined {
  return restartAt !== undefined && readMarker(text)[RESTART_AT] === restartAt ? text : undefined;
}

/**
 * What a record keeps of the marker on the pod template, to see that somebody changed it. A restart
 * by its time leaves none there.
 */
export function markerHash({ marker, rollBy }: Pick<Workload, "marker" | "rollBy">): string {
  return marker === undefined || rollBy !== "patch" ? "" : stableId(marker);
}

/** What a record keeps of a restart by its time, to see that there was a later one. */
export function restartHash({ restarted }: Pick<Workload, "restarted">): string | undefined {
  return restarted === undefined ? undefined : stableId(restarted);
}

/**
 * A hash of the opt-in annotations: while it is unchanged, a source that newly counts was created,
 * not newly opted in. With `faults`, as versions before wrote it into records.
 */
export function optInHash(workload: Pick<Workload, "optIn">): string {
  return stableId(JSON.stringify({ ...workload.optIn, faults: [] }));
}

/** Whether the object has a marker of ours, or says of a restart, that its record does not have. */
export function isWrittenAnew(
  workload: Pick<Workload, "marker" | "ownsMarker" | "restarted" | "rollBy">,
  record: Pick<WorkloadRecord, "marker" | "restarted">,
): boolean {
  if (workload.restarted !== undefined) return record.restarted !== restartHash(workload);
  const isOwn = workload.rollBy === "patch" && workload.ownsMarker === true;
  return isOwn && record.marker !== undefined && record.marker !== markerHash(workload);
}

const SECOND_MS = 1_000;

/**
 * The time (RFC 3339, whole seconds) that a pod must be younger than to have the change made at
 * `changedAt` (ms since the epoch): the end of that second. It differs from `present`, because
 * writing the same time again would restart nothing.
 */
export function restartTime(changedAt: number, present: string | undefined): string {
  const seconds = Math.ceil(changedAt / SECOND_MS);
  const write = (at: number) => new Date(at * SECOND_MS).toISOString().replace(".000Z", "Z");
  return write(seconds) === present ? write(seconds + 1) : write(seconds);
}

function readMarker(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined || text.length > MAX_MARKER) return {};
  try {
    const raw: unknown = JSON.parse(text);
    const isObject = typeof raw === "object" && raw !== null && !Array.isArray(raw);
    return isObject ? (raw as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Digests by source from the marker on a pod template; empty if it is not our marker. */
export function parseMarker(text: string | undefined, namespace: string): Map<SourceKey, string> {
  const digests = new Map<SourceKey, string>();
  for (const [key, digest] of Object.entries(readMarker(text))) {
    const parts = key.split("/");
    if (typeof digest !== "string" || !/^[a-z0-9]+\.[0-9a-f]{32}$/.test(digest)) continue;
    const [kind = "", second = "", third] = parts;
    if (parts.length === 2) digests.set(sourceKey(kind, namespace, second), digest);
    else if (parts.length === 3 && third !== undefined) {
      digests.set(sourceKey(kind, second, third), digest);
    }
  }
  return digests;
}

/** Ids of the installation keys of a marker's digests, each once; empty if it is not our marker. */
export function keyIdsOf(marker: string | undefined): string[] {
  const digests = [...parseMarker(marker, "").values()];
  return [...new Set(digests.map((digest) => digest.slice(0, digest.indexOf("."))))];
}

/**
 * The id among these that is no key of this installation, neither the present one nor an earlier
 * one. Undefined too while the installation's own key is not recorded.
 */
export function otherKeyId(
  keyIds: readonly string[],
  own: Pick<Installation, "keyId" | "earlierKeyIds"> | undefined,
): string | undefined {
  if (own?.keyId === undefined) return undefined;
  const { keyId, earlierKeyIds = [] } = own;
  return keyIds.find((id) => id !== keyId && !earlierKeyIds.includes(id));
}

/** Under which keys two markers were written, where they have none in common. */
export function keysApart(
  mine: string | undefined,
  other: string | undefined,
): { readonly mine: string; readonly other: string } | undefined {
  const [ids, otherIds] = [keyIdsOf(mine), keyIdsOf(other)];
  const [id, otherId] = [ids[0], otherIds[0]];
  if (id === undefined || otherId === undefined) return undefined;
  return otherIds.some((each) => ids.includes(each)) ? undefined : { mine: id, other: otherId };
}

/** The content, counted as the source's record counts now: one that is made anew begins anew. */
export function recounted(content: Content, present: Content): Content {
  const { changeCount } = present;
  const isAhead = changeCount !== undefined && (content.changeCount ?? 0) > changeCount;
  return isAhead ? { ...content, changeCount } : content;
}

/** What pods run of which nobody knows with which content they began. */
export function unknownContents(running: Readonly<Record<string, Content>>) {
  const unknown = (content: Content) =>
    content.digest === ABSENT ? content : { ...content, digest: UNKNOWN };
  const contents = Object.entries(running).map(([key, content]) => [key, unknown(content)]);
  return Object.fromEntries(contents) as Record<SourceKey, Content>;
}
