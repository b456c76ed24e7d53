import type { TemplateRef, LeftPods, RollBy, RolloutStatus } from "@rollcast/kube/workloads/kind";
import type { OptIn } from "./opt-in.ts";
import type { Reference } from "./source-references.ts";
import type { Marks } from "./reloader-marks.ts";

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
  readonly borrows?: TemplateRef;
};

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
