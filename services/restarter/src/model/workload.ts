import type {
  PodTemplateRef,
  RollBy,
  RolloutStatus,
  TemplateRef,
} from "@rollcast/kube/workloads/kind";
import { cutNames } from "@rollcast/shared/cut";
import type { SourceKind } from "@rollcast/shared/events";
import { EFFECT } from "./annotation-values.ts";
import type { AnnotationFault } from "./annotation-values.ts";
import type { OptIn } from "./opt-in.ts";
import type { Reference } from "./source-references.ts";
import { markerHash, sourceKey } from "./content.ts";
import type { SourceKey } from "./content.ts";
import type { Marks } from "./reloader-marks.ts";
import type { GroupKind, Rules } from "./rules.ts";
import type { WorkloadRecord } from "./workload-record.ts";

/**
 * What the index keeps of a workload: small, but enough for a decision. Times are milliseconds
 * since the epoch.
 */
export type Workload = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdAt: number;
  readonly deleting: boolean;
  /** It is being deleted, and leaves its pods to whatever is made with their selector. */
  readonly orphans?: true;
  /** It was made over pods of the same template that one before it left, which began after this. */
  readonly podsSince?: number;
  readonly paused: boolean;
  readonly restartsOnEdit: boolean;
  readonly deadlineMs: number | undefined;
  /** The controller that owns it, if any. */
  readonly owner: (GroupKind & { readonly name: string }) | undefined;
  /** The annotations of our contract, under our own names, of the workload and its pod template. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly templateAnnotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly hasTemplateMetadata: boolean;
  readonly hasTemplateAnnotations: boolean;
  readonly optIn: OptIn;
  /** What its annotations hold that cannot be read, under the names that they are written with. */
  readonly faults: readonly AnnotationFault[];
  /** Whether any source could roll it. */
  readonly mayRoll: boolean;
  /** What our last rollout wrote: the annotation on the pod template, or (`restart`) a time. */
  readonly marker: string | undefined;
  /** With which content our last restart by its time was, as the object says it. */
  readonly restarted?: string;
  /** By managedFields, the marker on the pod template was written by Rollcast. */
  readonly ownsMarker?: true;
  /** Who wrote the object last, apart from its status and from Rollcast. */
  readonly editor?: { readonly manager: string; readonly time: number };
  /** Reloader marks in the pod template, written by Reloader or by us. */
  readonly marks: Marks;
  /** Hash of the pod template without markers; a different hash means that somebody edited it. */
  readonly templateHash: string;
  /**
   * When somebody else last edited the template: exact if we watched it, else from managedFields
   * (the start of that second).
   */
  readonly editedAt: number | undefined;
  /** That edit or creation has this resourceVersion, or an earlier one where a list showed it. */
  readonly editedVersion?: string;
  /** The watch showed that edit: it has that version, and no earlier one. */
  readonly isEditShown?: true;
  /**
   * The templates, with their marker, that others have replaced since it came to rest, as the watch
   * showed them, and when those were edited: whoever puts one back keeps the pods of that time.
   */
  readonly earlierEdits?: readonly {
    readonly of: string;
    readonly edit: Pick<Workload, "editedAt" | "editedVersion" | "isEditShown">;
  }[];
  /** Its creation has this resourceVersion; set where the watch showed it. */
  readonly createdVersion?: string;
  /** A read showed this version, and the watch has not yet: an edit of it has no exact time. */
  readonly isAhead?: true;
  readonly references: readonly Reference[];
  readonly status: RolloutStatus;
  readonly rollBy: RollBy;
  /** The newest rollout that its controller has begun, if it says which. */
  readonly revision?: number | string;
  /** Why it must not be rolled now. */
  readonly hold?: string;
  /** Its controller has stopped its pods, or made none, until somebody resumes it. */
  readonly stopped?: true;
  /** No new run may start while one is active. */
  readonly exclusive?: true;
  /** It has finished. */
  readonly finished?: true;
  /** It is a hook of Helm or Argo CD, which wait for its end. */
  readonly hook?: true;
  /** The rollout that made this Job, if we made it. */
  readonly madeBy?: string;
  /** The label selector of its pods, where they wait for their owner to delete them. */
  readonly leftPods?: string;
  /** It uses the template of another workload, which is rolled instead. */
  readonly workloadRef?: TemplateRef;
  /** The workload that uses its template, and has the pods. */
  readonly referrer?: { readonly kind: string; readonly name: string };
  /** It uses the template of an object that is no workload, and is rolled itself. */
  readonly podTemplateRef?: PodTemplateRef;
};

/**
 * Whether it is a Job that another controller has made, as KEDA, JobSet or Argo Workflows do. Only
 * its controller may end it or run it again.
 */
export function isOwnedJob({ owner, rollBy }: Pick<Workload, "owner" | "rollBy">): boolean {
  return rollBy === "recreate" && owner !== undefined;
}

/** Identifies a workload: `<kind>/<namespace>/<name>`. */
export type WorkloadKey = `${string}/${string}/${string}`;

export function workloadKey(ref: { kind: string; namespace: string; name: string }): WorkloadKey {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** So many are named in a line for people. */
const NAMED = 3;

/** The first workloads, and how many more there are. */
export function namedWorkloads(keys: readonly WorkloadKey[]): string {
  return cutNames(keys, NAMED);
}

/** Splits a workload key into its parts. */
export function splitKey(key: WorkloadKey): { kind: string; namespace: string; name: string } {
  const [kind = "", namespace = "", name = ""] = key.split("/");
  return { kind, namespace, name };
}

/** Whether any source could ever roll this workload. If not, the index keeps nothing of it. */
export function mayRoll(
  workload: Pick<Workload, "kind" | "owner" | "optIn" | "references" | "workloadRef">,
  rules: Rules,
): boolean {
  if (workload.workloadRef !== undefined) return false;
  if (rules.ignoredWorkloadTypes.has(`${workload.kind.toLowerCase()}s`)) return false;
  if (workload.owner !== undefined && rules.isWatched(workload.owner)) return false;
  const named = (["ConfigMap", "Secret", "SecretProviderClass"] as const).some(
    (kind) => workload.optIn[kind].named.length > 0,
  );
  return (
    named ||
    workload.references.some(({ kind }) => {
      const { search, auto } = workload.optIn[kind];
      return search || auto === "yes" || (auto === "unset" && rules.auto);
    })
  );
}

/**
 * The sources, by name, that may roll the workload, whatever their own annotations say. Patterns
 * add more: {@link patternsOf}.
 */
export function watchedSources(workload: Workload): SourceKey[] {
  const keys = new Set<SourceKey>();
  for (const { kind, name } of workload.references) {
    keys.add(sourceKey(kind, workload.namespace, name));
  }
  for (const kind of ["ConfigMap", "Secret", "SecretProviderClass"] as const) {
    for (const { pattern, exact, namespace } of workload.optIn[kind].named) {
      if (exact) keys.add(sourceKey(kind, namespace ?? workload.namespace, pattern));
    }
  }
  return [...keys];
}

/** A name pattern in one namespace. */
export type SourcePattern = {
  readonly kind: SourceKind;
  readonly namespace: string;
  readonly pattern: string;
};

/** The name patterns in the workload's annotations. */
export function patternsOf(workload: Workload): SourcePattern[] {
  return (["ConfigMap", "Secret", "SecretProviderClass"] as const).flatMap((kind) =>
    workload.optIn[kind].named
      .filter(({ exact }) => !exact)
      .map(({ pattern, namespace }) => ({
        kind,
        namespace: namespace ?? workload.namespace,
        pattern,
      })),
  );
}

/** Whether every pod has the present template. */
export function isAtRest({ status }: Pick<Workload, "status">): boolean {
  return status.state === "complete" && status.reason === undefined;
}

/** Whether Reloader has restarted the pods since these marks: its marks have changed. */
export function reloaderRestarted(workload: Pick<Workload, "marks">, marks: string): boolean {
  return workload.marks.reloader !== "" && workload.marks.reloader !== marks;
}

/** Whether nobody else has edited the template since, by managedFields (whole seconds). */
export function isUneditedSince({ editedAt, isEditShown }: Workload, time: number): boolean {
  return isEditShown !== true && editedAt !== undefined && editedAt < time - 1_000;
}

/** Whether somebody has edited the pod template since the record, beside our marker. */
export function isTemplateEdited(record: WorkloadRecord, workload: Workload): boolean {
  return (
    workload.templateHash !== record.templateHash || reloaderRestarted(workload, record.marks ?? "")
  );
}

/**
 * Whether others have edited the pod template since the record; see {@link isTemplateEdited}.
 * Somebody else may have taken our marker off, or put an earlier one back, while no rollout was
 * under way: at rest such a write restarts every pod, like any edit of the template. Where pods of
 * an earlier template are left, it may keep those.
 */
export function isEdited(record: WorkloadRecord, workload: Workload): boolean {
  const isMarkerEdited =
    workload.rollBy === "patch" &&
    record.marker !== undefined &&
    record.marker !== markerHash(workload) &&
    workload.ownsMarker !== true &&
    record.phase !== "rolling";
  return isMarkerEdited || isTemplateEdited(record, workload);
}

/**
 * The sources of a workload are in its record up to six times (what runs, and in each rollout that
 * is not confirmed) and in the marker. A record has 1 MiB, and all annotations together 256 KiB.
 */
const MAX_KEYS_BYTES = 85_000;
/** Of each in the record, beside its key. */
const CONTENT_BYTES = 80;

/** The sources that may roll a workload; `left`: those that match, and there is no room for. */
export type Candidates = {
  readonly keys: readonly SourceKey[];
  readonly left: readonly SourceKey[];
};

/** What is named without a pattern comes first, then what matches, by kind and name. */
export function candidates(
  names: { matching(pattern: SourcePattern): SourceKey[] },
  workload: Workload,
): Candidates {
  const keys = new Set(watchedSources(workload));
  const matching = patternsOf(workload).flatMap((pattern) => names.matching(pattern));
  const left: SourceKey[] = [];
  let room = MAX_KEYS_BYTES;
  for (const key of keys) room -= key.length + CONTENT_BYTES;
  for (const key of [...new Set(matching)].toSorted()) {
    if (keys.has(key)) continue;
    room -= key.length + CONTENT_BYTES;
    if (room < 0) left.push(key);
    else keys.add(key);
  }
  return { keys: [...keys], left };
}

/** Why the rollout is only reported; undefined if it is to be made. */
export function reportOnly({
  mode,
  workload,
}: {
  readonly mode: "active" | "observe";
  readonly workload: Pick<Workload, "annotations" | "templateAnnotations">;
}): "Observe" | "Notify" | undefined {
  if (mode === "observe") return "Observe";
  const { annotations, templateAnnotations } = workload;
  // What is unknown counts as it, too.
  const effect = annotations[EFFECT] || templateAnnotations[EFFECT] || "";
  return effect === "" ? undefined : "Notify";
}

/** Why a Job is left to its controller, whatever its sources; undefined if it has none. */
export function leftToOwner(
  workload: Pick<Workload, "owner" | "rollBy">,
): { readonly reason: "Owned"; readonly message: string } | undefined {
  const { owner } = workload;
  if (owner === undefined || !isOwnedJob(workload)) return undefined;
  const message = `it is left to ${owner.kind} ${owner.name}, whose next Job gets the content`;
  return { reason: "Owned", message };
}

type Owner = Pick<Workload, "kind" | "namespace" | "name">;

/** Whether a workload was made by the controller of this owner. */
export function isMadeOf({ kind, namespace, name }: Owner, made: Workload): boolean {
  const { owner } = made;
  return owner?.kind === kind && owner.name === name && made.namespace === namespace;
}
