import { KubeError } from "./kube-error.ts";
import type { KubeObject } from "./object.ts";

/**
 * What is listed and watched: a resource, in one namespace or in all, as server-side selectors
 * narrow it.
 */
export type ReflectedResource = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Ask for metadata only (`PartialObjectMetadata`). */
  readonly metadataOnly?: boolean;
};

const PARTIAL = "as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
/** Asks for a list of metadata alone. */
export const PARTIAL_LIST = "as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

export function acceptOf(resource: ReflectedResource, list: boolean): string {
  if (resource.metadataOnly !== true) return "application/json";
  return `application/json;${list ? PARTIAL_LIST : PARTIAL}`;
}

export function selectorsOf(resource: ReflectedResource): Record<string, string> {
  const { labelSelector, fieldSelector } = resource;
  return {
    ...(labelSelector === undefined || labelSelector === "" ? {} : { labelSelector }),
    ...(fieldSelector === undefined || fieldSelector === "" ? {} : { fieldSelector }),
  };
}

/**
 * The object as the API server sent it, checked for what the reflector needs. Throws
 * {@link KubeError} `Garbage`.
 */
export function checkObject(raw: unknown): KubeObject {
  const metadata = (raw as KubeObject | undefined)?.metadata;
  if (
    typeof metadata?.name !== "string" ||
    typeof metadata.uid !== "string" ||
    typeof metadata.resourceVersion !== "string"
  ) {
    throw new KubeError(0, "Garbage", "an object without name, uid or resourceVersion");
  }
  return raw as KubeObject;
}
