import type { WorkloadKind } from "./workloads/kind.ts";
import { escapePointer } from "./json-pointer.ts";

/** One operation of JSON Patch, RFC 6902. */
export type PatchOperation = {
  readonly op: "test" | "add" | "remove" | "replace";
  readonly path: string;
  readonly value?: unknown;
};

export const JSON_PATCH = "application/json-patch+json";
/** JSON Merge Patch, RFC 7396. */
export const MERGE_PATCH = "application/merge-patch+json";

export const FIELD_MANAGER = "rollcast";

/** The object and the spec that a patch is decided on. */
type Guard = { readonly uid: string; readonly generation: number };

function guard({ uid, generation }: Guard): PatchOperation[] {
  return [
    { op: "test", path: "/metadata/uid", value: uid },
    { op: "test", path: "/metadata/generation", value: generation },
  ];
}

/**
 * A patch that sets and removes annotations of the pod template, guarded: the API server refuses it
 * (422) unless it still is the object with this `uid`, at this `metadata.generation`. So a decision
 * made on an older spec, or on another object of the same name, is never carried out. Status
 * updates do not disturb it.
 */
export function guardedAnnotations(
  kind: WorkloadKind,
  object: Guard & {
    hasTemplateMetadata: boolean;
    hasTemplateAnnotations: boolean;
  },
  change: {
    readonly annotations: Readonly<Record<string, string>>;
    /** Annotations that are there and are to go. */
    readonly removed?: readonly string[];
    /** What else is to be done under the same guard. */
    readonly more?: readonly PatchOperation[];
  },
): PatchOperation[] {
  const at = `${kind.templatePath}/metadata`;
  const operations = guard(object);
  if (!object.hasTemplateMetadata) operations.push({ op: "add", path: at, value: {} });
  if (!object.hasTemplateAnnotations) {
    operations.push({ op: "add", path: `${at}/annotations`, value: {} });
  }
  for (const [name, value] of Object.entries(change.annotations)) {
    operations.push({ op: "add", path: `${at}/annotations/${escapePointer(name)}`, value });
  }
  for (const name of change.removed ?? []) {
    operations.push({ op: "remove", path: `${at}/annotations/${escapePointer(name)}` });
  }
  return [...operations, ...(change.more ?? [])];
}

/**
 * A patch that has pods replaced which were made before `time` (Argo's `spec.restartAt`), guarded
 * as {@link guardedAnnotations}. It sets annotations of the object, which must have some: to make
 * the first one could take away what others add meanwhile.
 */
export function guardedRestart(
  object: Guard,
  time: string,
  annotations: Readonly<Record<string, string>>,
): PatchOperation[] {
  const more = Object.entries(annotations).map(([name, value]): PatchOperation => ({
    op: "add",
    path: `/metadata/annotations/${escapePointer(name)}`,
    value,
  }));
  return [...guard(object), { op: "add", path: "/spec/restartAt", value: time }, ...more];
}
