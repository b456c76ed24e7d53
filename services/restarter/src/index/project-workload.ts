import { createHash } from "node:crypto";
import { dig, parseTime } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import type { PodTemplate, WorkloadKind } from "@rollcast/kube/workloads/kind";
import { cutText } from "@rollcast/shared/cut";
import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { ROLLOUT } from "@rollcast/kube/workloads/manifest";
import { MARKER, restartedWith } from "../model/content.ts";
import { readMarks, withoutMarks } from "../model/reloader-marks.ts";
import { valueFaults, withNameFaults } from "../model/annotation-values.ts";
import { readOptIn } from "../model/opt-in.ts";
import { mayRoll } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import { references } from "../model/source-references.ts";
import type { Rules } from "../model/rules.ts";

function hashTemplate(template: PodTemplate | undefined): string {
  const { metadata, ...rest } = (withoutMarks(template) ?? {}) as {
    metadata?: Record<string, unknown>;
  };
  const { annotations: written, ...others } = metadata ?? {};
  const { [MARKER]: _, ...annotations } = (written ?? {}) as Record<string, string>;
  // The API server always serialises the fields of an object in the same order, so equal templates
  // give equal text. A custom resource has them sorted by name, so our annotations must not affect
  // any position.
  const text = JSON.stringify([others, annotations, rest]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function fieldsPath(templatePath: string): string[] {
  const steps = templatePath.slice(1).split("/");
  return steps.map((step) => `f:${step}`);
}

function markerPath(templatePath: string): string[] {
  return [...fieldsPath(templatePath), "f:metadata", "f:annotations", `f:${MARKER}`];
}

/**
 * Whether the marker on the pod template is Rollcast's own, by managedFields. Of one that admission
 * took off in the request of others they still say so.
 */
function ownsMarker(kind: WorkloadKind, object: KubeObject): boolean {
  if (kind.template(object)?.metadata?.annotations?.[MARKER] === undefined) return false;
  const path = markerPath(kind.templatePath);
  return (object.metadata.managedFields ?? []).some(
    ({ manager, fieldsV1 }) => manager === FIELD_MANAGER && dig(fieldsV1, ...path) !== undefined,
  );
}

const MAX_MANAGER = 64;

/**
 * Who else wrote the marker, or without one the object last, apart from its status and its scale.
 */
function editorOf(object: KubeObject, templatePath: string): Workload["editor"] {
  const path = markerPath(templatePath);
  let last: Workload["editor"];
  for (const entry of object.metadata.managedFields ?? []) {
    const { manager = "", subresource = "", time, fieldsV1 } = entry;
    const at = parseTime(time);
    if (manager === FIELD_MANAGER || subresource !== "" || at === undefined) continue;
    const writer = { manager: cutText(manager, MAX_MANAGER), time: at };
    if (dig(fieldsV1, ...path) !== undefined) return writer;
    if (last === undefined || at >= last.time) last = writer;
  }
  return last;
}

function editedByOthers(object: KubeObject, templatePath: string): number | undefined {
  const path = fieldsPath(templatePath);
  const times = (object.metadata.managedFields ?? [])
    .filter((entry) => entry.manager !== FIELD_MANAGER && (entry.subresource ?? "") === "")
    .filter((entry) => dig(entry.fieldsV1, ...path) !== undefined)
    .map((entry) => parseTime(entry.time))
    .filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.max(...times);
}

function ownerOf({ metadata }: KubeObject): Workload["owner"] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return undefined;
  const { apiVersion, kind, name } = owner;
  const slash = apiVersion.indexOf("/");
  return { group: slash < 0 ? "" : apiVersion.slice(0, slash), kind, name };
}

/** Transforms an object of the API server to what the index keeps. */
export function projectWorkload(kind: WorkloadKind, object: KubeObject, rules: Rules): Workload {
  const { metadata } = object;
  const template = kind.template(object);
  const workloadRef = kind.workloadRef?.(object);
  const templateAnnotations = template?.metadata?.annotations;
  const annotations = rules.annotations(metadata.annotations);
  const rollBy = kind.rollBy?.(object, annotations) ?? "patch";
  const ofTemplate = rules.annotations(templateAnnotations);
  const { optIn, faults } = readOptIn(annotations, ofTemplate, rules);
  const decisive = {
    kind: kind.kind,
    owner: ownerOf(object),
    optIn,
    references: references(template, rules),
    workloadRef,
  };
  return {
    ...decisive,
    faults: withNameFaults(rules, { ...templateAnnotations, ...metadata.annotations }, [
      ...faults,
      ...valueFaults({ ...decisive, annotations, templateAnnotations: ofTemplate, rollBy }),
    ]),
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
    restarted:
      rollBy === "restart"
        ? restartedWith(metadata.annotations?.[MARKER], kind.restartedAt?.(object))
        : undefined,
    ...optionalFields(kind, object),
  };
}

/** Fields that most workloads lack. */
function optionalFields(kind: WorkloadKind, object: KubeObject) {
  const leftPods = kind.leftPods?.(object);
  const hold = kind.hold?.(object);
  const revision = kind.revision?.(object);
  const { annotations, deletionTimestamp, finalizers } = object.metadata;
  const madeBy = annotations?.[ROLLOUT];
  const orphans = deletionTimestamp !== undefined && finalizers?.includes("orphan") === true;
  return {
    ownsMarker: ownsMarker(kind, object) ? (true as const) : undefined,
    editor: editorOf(object, kind.templatePath),
    podTemplateRef: kind.podTemplateRef?.(object),
    leftPods,
    hold,
    revision,
    stopped: kind.stopped?.(object) === true ? (true as const) : undefined,
    exclusive: kind.exclusive?.(object) === true ? (true as const) : undefined,
    finished: kind.finished?.(object) === true ? (true as const) : undefined,
    hook: kind.hook?.(object) === true ? (true as const) : undefined,
    madeBy,
    orphans: orphans ? (true as const) : undefined,
  };
}
