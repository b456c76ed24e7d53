import type { ReflectedResource } from "@rollcast/kube/resource";
import type { KubeObject } from "@rollcast/kube/object";
import type { Scope as ScopeConfig } from "@rollcast/shared/config/scope";
import { transformData } from "./transform.ts";
import type { TransformOptions, ObservedSource } from "./transform.ts";

/** How a kind of source is listed and transformed. */
export type SourceType = {
  readonly resource: ReflectedResource;
  /** Returns undefined for an object that is ignored. */
  readonly transform: (options: TransformOptions, object: KubeObject) => ObservedSource | undefined;
};

/** Leader election writes its state here many times a minute. */
const LEADER = "control-plane.alpha.kubernetes.io/leader";
/** Helm's releases, which only Helm reads, and tokens, which their own controller renews. */
const SECRET_TYPES_LEFT_OUT = ["helm.sh/release.v1", "kubernetes.io/service-account-token"];

export const SOURCE_TYPES: Readonly<Record<"ConfigMap" | "Secret", SourceType>> = {
  ConfigMap: {
    resource: { group: "", version: "v1", plural: "configmaps" },
    transform: (options, object) =>
      object.metadata.annotations?.[LEADER] === undefined
        ? transformData(options, "ConfigMap", object)
        : undefined,
  },
  Secret: {
    resource: {
      group: "",
      version: "v1",
      plural: "secrets",
      fieldSelector: SECRET_TYPES_LEFT_OUT.map((type) => `type!=${type}`).join(","),
    },
    transform: (options, object) => transformData(options, "Secret", object),
  },
};

/**
 * Narrows a resource by the configured scope, with selectors that the server applies. Labels select
 * only data: objects of the CSI driver do not carry the user's labels.
 */
export function narrowResource(
  resource: ReflectedResource,
  scope: ScopeConfig,
  options: { namespace: string | undefined; byLabels: boolean },
): ReflectedResource {
  const ignored = scope.ignoreNamespaces.map((name) => `metadata.namespace!=${name}`);
  const fields = [resource.fieldSelector ?? "", ...ignored].filter((part) => part !== "");
  return {
    ...resource,
    ...(fields.length === 0 ? {} : { fieldSelector: fields.join(",") }),
    ...(options.byLabels && scope.resourceSelector !== ""
      ? { labelSelector: scope.resourceSelector }
      : {}),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
  };
}
