import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { dig, parseTime } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import { annotationNames } from "@rollcast/shared/annotations";
import type { Renames } from "@rollcast/shared/annotations";
import { cutText } from "@rollcast/shared/cut";
import type { SourceKind } from "@rollcast/shared/events";
import { misnamedReader } from "@rollcast/shared/misnamed-annotations";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import type { ObjectRef } from "@rollcast/shared/subjects";

/**
 * Who set data, according to managedFields; `time` in milliseconds since the epoch, exact to the
 * second. `keys` are those whose present values this manager set; undefined if that is not known
 * per key.
 */
export type Editor = {
  readonly manager: string;
  readonly time?: number;
  readonly keys?: ReadonlySet<string>;
};

/** All that is kept of a source object. */
export type ObservedSource = {
  readonly kind: SourceKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly digests: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Newest first. */
  readonly editors: readonly Editor[];
  readonly annotations: Readonly<Record<string, string>>;
};

/** A source that was deleted as of a resourceVersion. */
export type DeletedSource = { readonly uid?: string; readonly resourceVersion: string };

/** How a source was observed. */
export type Observation = {
  readonly origin: "list" | "watch";
  /**
   * The cluster was restored from a backup and this comes from the list that showed it: compare
   * contents, not versions.
   */
  readonly restored: boolean;
};

/** The installation key, with the id that every digest made under it carries. */
export type InstallationKey = { readonly id: string; readonly secret: KeyObject };

/**
 * How a key's bytes reach the pods: text keys also as environment variables, binary ones only as
 * files.
 */
type DataForm = "text" | "binary";

const DIGEST_BYTES = 16;
const KEY_ID_BYTES = 8;
/** A shorter key could be guessed together with a short value. */
export const MIN_KEY_BYTES = 32;

export function installationKey(bytes: Buffer): InstallationKey {
  // A KeyObject is prepared once; preparing raw bytes costs several times the HMAC itself.
  const secret = createSecretKey(bytes);
  const id = createHmac("sha256", secret).update("rollcast key id").digest();
  return { id: id.toString("hex", 0, KEY_ID_BYTES), secret };
}

/**
 * Digest of one key's bytes: the first 128 bits of an HMAC-SHA-256 under the installation key, in
 * hex. It covers kind, namespace, name and key, so that equal values in two places have different
 * digests. The value is preceded by JSON, which is self-delimiting, so no two inputs yield the same
 * bytes.
 */
export function digestValue(
  key: InstallationKey,
  ref: ObjectRef,
  dataKey: string,
  form: DataForm,
  value: Uint8Array,
): string {
  const place = JSON.stringify([ref.kind, ref.namespace, ref.name, dataKey, form]);
  const digest = createHmac("sha256", key.secret).update(place).update(value).digest();
  return digest.toString("hex", 0, DIGEST_BYTES);
}

/**
 * How many bytes of JSON the digests of a record may take: by default NATS allows 1 MiB per
 * message, and the rest of the record needs room too.
 */
const MAX_DIGESTS_BYTES = 700_000;
/** Of a pair in JSON: the quotes of its digest, a colon and a comma. */
const PAIR_BYTES = 4;

/**
 * The digests as the record stores them: one per key, or one over all if they do not fit. The order
 * of keys does not matter.
 */
export function boundDigests(
  key: InstallationKey,
  digests: ReadonlyMap<string, string>,
): Record<string, string> {
  const sorted = [...digests].sort(([a], [b]) => (a < b ? -1 : 1));
  let size = 0;
  for (const [name, digest] of sorted) {
    size += Buffer.byteLength(JSON.stringify(name)) + digest.length + PAIR_BYTES;
  }
  if (size <= MAX_DIGESTS_BYTES) return Object.fromEntries(sorted);
  const whole = createHmac("sha256", key.secret).update(JSON.stringify(sorted)).digest();
  return { [WHOLE_OBJECT]: whole.toString("hex", 0, DIGEST_BYTES) };
}

const MAX_MANAGER = 128;

/**
 * The managers of `fields` (named as in managedFields: `f:data`), newest first. `byKey`: each field
 * is a map of keys.
 */
export function editorsOf(
  object: KubeObject,
  fields: readonly string[],
  byKey: boolean,
): readonly Editor[] {
  const editors: Editor[] = [];
  for (const entry of object.metadata.managedFields ?? []) {
    const owned = fields.flatMap((field) => entry.fieldsV1?.[field] ?? []);
    if (owned.length === 0) continue;
    const time = parseTime(entry.time);
    const names = owned.flatMap((map) => (map === null ? [] : Object.keys(map)));
    editors.push({
      manager: cutText(entry.manager ?? "unknown", MAX_MANAGER),
      time,
      keys: byKey ? new Set(names.map((name) => name.replace(/^f:/, ""))) : undefined,
    });
  }
  return editors.sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
}

/** Those of a source's annotations that are kept, bounded in number and length. */
export type AnnotationFilter = (annotations: unknown) => Record<string, string>;

const MAX_ANNOTATION = 1_024;

/** Keeps the annotations that affect rollouts, and a few that were perhaps meant to. */
export function relevantAnnotations(renames: Renames): AnnotationFilter {
  const names = [...annotationNames("ignore", renames), ...annotationNames("match", renames)];
  const misnamed = misnamedReader(renames);
  return (annotations) => {
    const kept: Record<string, string> = {};
    const keep = (name: string) => {
      const value = dig(annotations, name);
      if (typeof value === "string") kept[name] = cutText(value, MAX_ANNOTATION);
    };
    for (const name of names) keep(name);
    for (const { name } of misnamed(annotations)) keep(name);
    return kept;
  };
}

/** A field of an object and how its values are encoded: plain text or base64. */
type DataField = { field: string; form: DataForm; encoding: "utf8" | "base64" };

const FIELDS: Readonly<Record<"ConfigMap" | "Secret", readonly DataField[]>> = {
  ConfigMap: [
    { field: "data", form: "text", encoding: "utf8" },
    { field: "binaryData", form: "binary", encoding: "base64" },
  ],
  Secret: [{ field: "data", form: "text", encoding: "base64" }],
};

/** The key for the digests, and which annotations are kept. */
export type TransformOptions = {
  readonly key: InstallationKey;
  readonly annotations: AnnotationFilter;
};

/**
 * Transforms a ConfigMap or Secret into digests. No string of the result shares memory with a
 * value.
 */
export function transformData(
  { key, annotations }: TransformOptions,
  kind: "ConfigMap" | "Secret",
  object: KubeObject,
): ObservedSource {
  const { metadata } = object;
  const ref = { kind, namespace: metadata.namespace ?? "", name: metadata.name };
  const digests = new Map<string, string>();
  for (const { field, form, encoding } of FIELDS[kind]) {
    const data = dig(object, field);
    if (typeof data !== "object" || data === null) continue;
    for (const [name, value] of Object.entries(data)) {
      const bytes = Buffer.from(typeof value === "string" ? value : "", encoding);
      digests.set(name, digestValue(key, ref, name, form, bytes));
    }
  }
  const fields = FIELDS[kind].map(({ field }) => `f:${field}`);
  return {
    ...ref,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    digests: boundDigests(key, digests),
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    editors: editorsOf(object, fields, true),
    annotations: annotations(metadata.annotations),
  };
}
