import type { KubeObject } from "@rollcast/kube/object";
import type { Namespaces } from "@rollcast/kube/namespaces";
import type { ReflectedResource } from "@rollcast/kube/resource";
import { SOURCE_KINDS } from "@rollcast/shared/events";
import type { SourceKind } from "@rollcast/shared/events";
import type { Scope as ScopeConfig } from "@rollcast/shared/config/scope";
import { parseRecordKey } from "@rollcast/shared/subjects";
import { transformData } from "./transform.ts";
import type { ObservedSource, TransformOptions } from "./transform.ts";

/** What one reflector covers: a kind, in one namespace or (undefined) in all. */
export type Unit = { readonly kind: SourceKind; readonly namespace?: string };

/** A unit whose objects contain the data themselves. */
export type DataUnit = Unit & { readonly kind: "ConfigMap" | "Secret" };

export function isDataUnit(unit: Unit): unit is DataUnit {
  return unit.kind !== "SecretProviderClass";
}

/** Which namespaces and kinds are watched at present. */
export type WatchScope = {
  /** One for each reflector. */
  readonly units: readonly Unit[];
  /** Whether objects of a namespace are processed; true already while it is entering the scope. */
  reads(namespace: string): boolean;
  /**
   * Whether a namespace is in scope; resolves once a namespace that is entering has been listed
   * completely.
   */
  whenInScope(namespace: string): boolean | Promise<boolean>;
  /** Whether the record of `key` belongs to what is in scope. */
  includesKey(key: string): boolean;
  /**
   * The units that are completely recorded once `unit` has been listed; coverage is stored for
   * these.
   */
  covered(unit: Unit): readonly Unit[];
};

export function kindsOf(config: ScopeConfig): SourceKind[] {
  return SOURCE_KINDS.filter((kind) => !config.ignoreKinds.includes(kind));
}

function kindTokens(kinds: readonly SourceKind[]): Set<string> {
  return new Set(kinds.map((kind) => kind.toLowerCase()));
}

/** A scope that changes only with a restart. */
export function fixedScope(config: ScopeConfig): WatchScope {
  const kinds = kindsOf(config);
  const tokens = kindTokens(kinds);
  const wanted = new Set(config.namespaces);
  const ignored = new Set(config.ignoreNamespaces);
  const includes = (namespace: string) =>
    !ignored.has(namespace) && (wanted.size === 0 || wanted.has(namespace));
  const everywhere: Unit[] = kinds.map((kind) => ({ kind }));
  const each = () =>
    [...wanted].flatMap((namespace) => kinds.map((kind): Unit => ({ kind, namespace })));
  return {
    units: wanted.size === 0 ? everywhere : each(),
    reads: includes,
    whenInScope: includes,
    includesKey(key) {
      const ref = parseRecordKey(key);
      return ref !== undefined && tokens.has(ref.kind) && includes(ref.namespace);
    },
    covered: (unit) => [unit],
  };
}

/** A scope that follows the labels of namespaces. */
export function selectedScope(config: ScopeConfig, namespaces: Namespaces): WatchScope {
  const kinds = kindsOf(config);
  const tokens = kindTokens(kinds);
  return {
    units: kinds.map((kind) => ({ kind })),
    reads: (name) => namespaces.has(name) || namespaces.entering(name) !== undefined,
    whenInScope(name) {
      const entering = namespaces.entering(name);
      if (entering === undefined) return namespaces.has(name);
      return entering.then(() => namespaces.has(name));
    },
    includesKey(key) {
      const ref = parseRecordKey(key);
      return ref !== undefined && tokens.has(ref.kind) && namespaces.has(ref.namespace);
    },
    covered: ({ kind, namespace }) =>
      (namespace === undefined ? namespaces.names() : [namespace]).map((name) => ({
        kind,
        namespace: name,
      })),
  };
}

/** How a kind of source is listed and transformed. */
type SourceType = {
  readonly resource: ReflectedResource;
  /** Returns undefined for an object that is ignored. */
  readonly transform: (options: TransformOptions, object: KubeObject) => ObservedSource | undefined;
};

/** Leader election writes its state here many times a minute. */
const LEADER = "control-plane.alpha.kubernetes.io/leader";
/** Helm's releases, which only Helm reads, and tokens, which their own controller renews. */
const SECRET_TYPES_LEFT_OUT = ["helm.sh/release.v1", "kubernetes.io/service-account-token"];

export const SOURCE_TYPES: Readonly<Record<DataUnit["kind"], SourceType>> = {
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
