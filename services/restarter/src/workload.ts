import { createHash } from "node:crypto";
import { dig, parseTime } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import type { RolloutStatus, WorkloadKind } from "@rollcast/kube/workloads/kind";
import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { MARKER } from "./marker.ts";
import { references } from "./references.ts";
import type { Reference } from "./references.ts";

/** What the index keeps of a workload: small, and all that a decision needs. Times are milliseconds since the epoch. */
export type Workload = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdAt: number;
  readonly deleting: boolean;
  readonly paused: boolean;
  readonly restartsOnEdit: boolean;
  readonly deadlineMs: number | undefined;
  /** Annotations that may matter, of the workload and of its pod template. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly templateAnnotations: Readonly<Record<string, string>>;
  readonly hasTemplateMetadata: boolean;
  readonly hasTemplateAnnotations: boolean;
  readonly marker: string | undefined;
  /** Hash of the pod template without our marker: another hash means that somebody edited it. */
  readonly templateHash: string;
  /** When somebody else last edited the template: seen by us (exact), else by managedFields (that second's start). */
  readonly editedAt: number | undefined;
  readonly references: readonly Reference[];
  readonly status: RolloutStatus;
};

const OURS = /(^|[./])(stakater\.com|rollcast\.dev)\//;

function relevant(annotations: unknown): Record<string, string> {
  if (typeof annotations !== "object" || annotations === null) return {};
  return Object.fromEntries(
    Object.entries(annotations as Record<string, string>).filter(([name]) => OURS.test(name)),
  );
}

function hashTemplate(template: unknown): string {
  const { metadata, ...rest } = (template ?? {}) as { metadata?: Record<string, unknown> };
  const { [MARKER]: _, ...annotations } = (metadata?.annotations ?? {}) as Record<string, string>;
  // The API server serialises one object's fields always in the same order, so equal templates give equal text.
  const text = JSON.stringify([{ ...metadata, annotations }, rest]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function editedByOthers(object: KubeObject, templatePath: string): number | undefined {
  const path = templatePath
    .slice(1)
    .split("/")
    .map((step) => `f:${step}`);
  const times = (object.metadata.managedFields ?? [])
    .filter((entry) => entry.manager !== FIELD_MANAGER && (entry.subresource ?? "") === "")
    .filter((entry) => dig(entry.fieldsV1, ...path) !== undefined)
    .map((entry) => parseTime(entry.time))
    .filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Reduces an object as the API server gives it to what the index keeps. */
export function projectWorkload(kind: WorkloadKind, object: KubeObject): Workload {
  const { metadata } = object;
  const template = kind.template(object);
  const templateAnnotations = template?.metadata?.annotations;
  return {
    kind: kind.kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    generation: metadata.generation ?? 0,
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    deleting: metadata.deletionTimestamp !== undefined,
    paused: kind.paused(object),
    restartsOnEdit: kind.restartsOnEdit(object),
    deadlineMs: kind.deadlineMs(object),
    annotations: relevant(metadata.annotations),
    templateAnnotations: relevant(templateAnnotations),
    hasTemplateMetadata: template?.metadata !== undefined,
    hasTemplateAnnotations: templateAnnotations !== undefined,
    marker: templateAnnotations?.[MARKER],
    templateHash: hashTemplate(template),
    editedAt: editedByOthers(object, kind.templatePath),
    references: references(template),
    status: kind.status(object),
  };
}

/** Which workload: `<kind>/<namespace>/<name>`. */
export type WorkloadKey = `${string}/${string}/${string}`;

export function workloadKey(ref: { kind: string; namespace: string; name: string }): WorkloadKey {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}
