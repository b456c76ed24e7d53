import { createHash } from "node:crypto";
import { dig, parseTime } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import { recordKey } from "@rollcast/shared/subjects";
import { boundDigests, digestValue, editorsOf } from "../model/transform.ts";
import type {
  AnnotationFilter,
  Editor,
  InstallationKey,
  ObservedSource,
} from "../model/transform.ts";

/**
 * What the Secrets Store CSI driver reports as mounted into one pod: a SecretProviderClassPodStatus
 * (https://secrets-store-csi-driver.sigs.k8s.io/concepts, `status.objects`).
 */
export type PodStatus = {
  readonly namespace: string;
  /** Name of the status object; there is one for each pod and class. */
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly className: string;
  /** Object id -> digest of its version. */
  readonly digests: Readonly<Record<string, string>>;
  /** A hash over `digests`; empty before the driver has mounted anything. */
  readonly content: string;
  readonly createdAt: number;
  readonly editors: readonly Editor[];
};

/** A SecretProviderClass, of which only metadata is read. */
export type ProviderClass = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly createdAt: number;
  readonly annotations: Readonly<Record<string, string>>;
};

export const CLASS_KIND = "SecretProviderClass";
/** Ids are paths in a vault. A longer id is cut and made unique by a hash. */
const MAX_ID = 250;

/** The record key of a class. */
export function classKey(cluster: string, namespace: string, name: string): string {
  return recordKey(cluster, { kind: CLASS_KIND, namespace, name });
}

function boundId(id: string): string {
  if (id.length <= MAX_ID) return id;
  const hash = createHash("sha256").update(id).digest().toString("hex", 0, 8);
  return `${id.slice(0, MAX_ID)}~${hash}`;
}

/** Returns undefined if the status names no class. */
export function transformPodStatus(
  key: InstallationKey,
  object: KubeObject,
): PodStatus | undefined {
  const { metadata } = object;
  const className = dig(object, "status", "secretProviderClassName");
  if (typeof className !== "string" || className === "") return undefined;
  const ref = { kind: CLASS_KIND, namespace: metadata.namespace ?? "", name: className };
  const objects = dig(object, "status", "objects");
  const digests = new Map<string, string>();
  for (const entry of Array.isArray(objects) ? objects : []) {
    const id = dig(entry, "id");
    const version = dig(entry, "version");
    if (typeof id !== "string" || typeof version !== "string") continue;
    digests.set(boundId(id), digestValue(key, ref, id, "text", Buffer.from(version)));
  }
  const bound = boundDigests(key, digests);
  const hash = createHash("sha256").update(JSON.stringify(bound)).digest();
  return {
    namespace: ref.namespace,
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    className,
    digests: bound,
    content: digests.size === 0 ? "" : hash.toString("hex", 0, 16),
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    editors: editorsOf(object, ["f:status"], false),
  };
}

export function transformClass(object: KubeObject, keep: AnnotationFilter): ProviderClass {
  const { metadata } = object;
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    annotations: keep(metadata.annotations),
  };
}

/** Combines a class and the content that one of its pods reports into an observed source. */
export function observedClass(
  owner: ProviderClass,
  pod: PodStatus,
  resourceVersion = pod.resourceVersion,
): ObservedSource {
  return {
    kind: CLASS_KIND,
    namespace: owner.namespace,
    name: owner.name,
    uid: owner.uid,
    resourceVersion,
    digests: pod.digests,
    createdAt: owner.createdAt,
    editors: pod.editors,
    annotations: owner.annotations,
  };
}
