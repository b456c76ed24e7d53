import { annotationNames } from "@rollcast/shared/annotations";
import type { Renames } from "@rollcast/shared/annotations";
import { dig, parseTime } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import type { SourceKind } from "@rollcast/shared/events";
import { boundDigests, digestValue } from "./digest.ts";
import type { DataForm, InstallationKey } from "./digest.ts";

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

/** Names of the source annotations that affect rollouts. */
export function relevantAnnotations(renames: Renames): readonly string[] {
  return [...annotationNames("ignore", renames), ...annotationNames("match", renames)];
}
const MAX_ANNOTATION = 1_024;
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
      manager: (entry.manager ?? "unknown").slice(0, MAX_MANAGER),
      time,
      keys: byKey ? new Set(names.map((name) => name.replace(/^f:/, ""))) : undefined,
    });
  }
  return editors.sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
}

/** The relevant annotations of a source, bounded in length. */
export function annotationsOf(
  { metadata }: KubeObject,
  names: readonly string[],
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of names) {
    const value = metadata.annotations?.[name];
    if (typeof value === "string") kept[name] = value.slice(0, MAX_ANNOTATION);
  }
  return kept;
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

/** The key for the digests, and the names of the annotations to keep. */
export type TransformOptions = {
  readonly key: InstallationKey;
  readonly annotations: readonly string[];
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
    annotations: annotationsOf(object, annotations),
  };
}
