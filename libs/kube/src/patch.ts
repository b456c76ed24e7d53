import type { WorkloadKind } from "./workloads/kind.ts";

/** One operation of JSON Patch, RFC 6902. */
export type PatchOperation = {
  readonly op: "test" | "add" | "remove" | "replace";
  readonly path: string;
  readonly value?: unknown;
};

export const JSON_PATCH = "application/json-patch+json";
export const FIELD_MANAGER = "rollcast";

/** One step of a JSON pointer, RFC 6901. */
export function pointerStep(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/**
 * A patch that sets annotations of the pod template, guarded: the API server refuses it (422) unless `metadata.generation` still is `generation`,
 * so a decision made on an older spec is never carried out. Status updates do not disturb it.
 */
export function guardedAnnotations(
  kind: WorkloadKind,
  object: {
    generation: number;
    hasTemplateMetadata: boolean;
    hasTemplateAnnotations: boolean;
  },
  annotations: Readonly<Record<string, string>>,
): PatchOperation[] {
  const at = `${kind.templatePath}/metadata`;
  const operations: PatchOperation[] = [
    { op: "test", path: "/metadata/generation", value: object.generation },
  ];
  if (!object.hasTemplateMetadata) operations.push({ op: "add", path: at, value: {} });
  if (!object.hasTemplateAnnotations) {
    operations.push({ op: "add", path: `${at}/annotations`, value: {} });
  }
  for (const [name, value] of Object.entries(annotations)) {
    operations.push({ op: "add", path: `${at}/annotations/${pointerStep(name)}`, value });
  }
  return operations;
}

/** The API path of an object of `kind`, or of the collection where `name` is left out. */
export function apiPath(
  kind: Pick<WorkloadKind, "group" | "version" | "plural">,
  namespace?: string,
  name?: string,
): string {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const inside = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const one = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${inside}/${kind.plural}${one}`;
}
