import { createHash } from "node:crypto";
import { dig, parseTime } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import type {
  BorrowedTemplate,
  LeftPods,
  PodTemplate,
  RollBy,
  RolloutStatus,
  WorkloadKind,
} from "@rollcast/kube/workloads/kind";
import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { ROLLOUT } from "@rollcast/kube/workloads/manifest";
import { MARKER } from "./marker.ts";
import { readOptIn } from "./opt-in.ts";
import type { OptIn } from "./opt-in.ts";
import { mayRoll } from "./policy.ts";
import { references } from "./references.ts";
import type { Reference } from "./references.ts";
import { readMarks, withoutMarks } from "./reloader-marks.ts";
import type { Marks } from "./reloader-marks.ts";
import type { Rules } from "./rules.ts";

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
  /** The controller that made it, where another object did. */
  readonly owner: { readonly kind: string; readonly name: string } | undefined;
  /** Annotations of our contract under our own names, of the workload and of its pod template. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly templateAnnotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly hasTemplateMetadata: boolean;
  readonly hasTemplateAnnotations: boolean;
  readonly optIn: OptIn;
  /** Whether any source could make it roll. */
  readonly mayRoll: boolean;
  /** What a rollout of ours has written: our annotation on the pod template, or (`restart`) a time. */
  readonly marker: string | undefined;
  /** What Reloader, or we in its stead, wrote into the pod template. */
  readonly marks: Marks;
  /** Hash of the pod template without markers: another hash means that somebody edited it. */
  readonly templateHash: string;
  /** When somebody else last edited the template: seen by us (exact), else by managedFields (that second's start). */
  readonly editedAt: number | undefined;
  /** The resourceVersion which that edit, or the creation, made, where a watch showed it. */
  readonly editedVersion?: string;
  readonly references: readonly Reference[];
  readonly status: RolloutStatus;
  readonly rollBy: RollBy;
  /** The newest rollout that its controller has begun, where it counts them. */
  readonly revision?: number;
  /** Why it must not be rolled now. */
  readonly hold?: string;
  /** Nothing new may be run while something of it runs. */
  readonly exclusive?: true;
  /** It has run to its end. */
  readonly finished?: true;
  /** Of a Job that we made: by which rollout. */
  readonly madeBy?: string;
  readonly leftPods?: LeftPods;
  /** Its template is that of another workload, which is rolled in its place. */
  readonly borrows?: BorrowedTemplate;
};

function hashTemplate(template: PodTemplate | undefined): string {
  const { metadata, ...rest } = (withoutMarks(template) ?? {}) as {
    metadata?: Record<string, unknown>;
  };
  const { annotations: written, ...others } = metadata ?? {};
  const { [MARKER]: _, ...annotations } = (written ?? {}) as Record<string, string>;
  // The API server serialises one object's fields always in the same order, so equal templates give equal text; a custom resource has them by name, so our
  // annotations must not decide on anything's place.
  const text = JSON.stringify([others, annotations, rest]);
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

function ownerOf({ metadata }: KubeObject): Workload["owner"] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined ? undefined : { kind: owner.kind, name: owner.name };
}

/** Reduces an object as the API server gives it to what the index keeps. */
export function projectWorkload(kind: WorkloadKind, object: KubeObject, rules: Rules): Workload {
  const { metadata } = object;
  const template = kind.template(object);
  const borrows = kind.borrows?.(object);
  const templateAnnotations = template?.metadata?.annotations;
  const annotations = rules.annotations(metadata.annotations);
  const rollBy = kind.rollBy?.(object, annotations) ?? "patch";
  const ofTemplate = rules.annotations(templateAnnotations);
  const decisive = {
    kind: kind.kind,
    owner: ownerOf(object),
    optIn: readOptIn(annotations, ofTemplate, rules),
    references: references(template, rules),
    ...(borrows === undefined ? {} : { borrows }),
  };
  return {
    ...decisive,
    mayRoll: mayRoll(decisive, rules),
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
    annotations,
    templateAnnotations: ofTemplate,
    labels: metadata.labels ?? {},
    hasTemplateMetadata: template?.metadata !== undefined,
    hasTemplateAnnotations: templateAnnotations !== undefined,
    marker: rollBy === "restart" ? kind.restartedAt?.(object) : templateAnnotations?.[MARKER],
    marks: readMarks(template, rules.strategy),
    templateHash: hashTemplate(template),
    editedAt: editedByOthers(object, kind.templatePath),
    status: kind.status(object),
    rollBy,
    ...rarities(kind, object),
  };
}

/** What most workloads do not have. */
function rarities(kind: WorkloadKind, object: KubeObject) {
  const leftPods = kind.leftPods?.(object);
  const hold = kind.hold?.(object);
  const revision = kind.revision?.(object);
  const madeBy = object.metadata.annotations?.[ROLLOUT];
  return {
    ...(leftPods === undefined ? {} : { leftPods }),
    ...(hold === undefined ? {} : { hold }),
    ...(revision === undefined ? {} : { revision }),
    ...(kind.exclusive?.(object) === true ? { exclusive: true as const } : {}),
    ...(kind.finished?.(object) === true ? { finished: true as const } : {}),
    ...(madeBy === undefined ? {} : { madeBy }),
  };
}

/** Which workload: `<kind>/<namespace>/<name>`. */
export type WorkloadKey = `${string}/${string}/${string}`;

export function workloadKey(ref: { kind: string; namespace: string; name: string }): WorkloadKey {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** The parts of a key. */
export function splitKey(key: WorkloadKey): { kind: string; namespace: string; name: string } {
  const [kind = "", namespace = "", name = ""] = key.split("/");
  return { kind, namespace, name };
}
