import { Queues } from "@rollcast/shared/config/queues";
import type { Queue } from "@rollcast/shared/config/queues";

/** Kinds of workloads that a world may have. */
export type WorldKind =
  | "Deployment"
  | "StatefulSet"
  | "DaemonSet"
  | "Rollout"
  | "CronJob"
  | "Job"
  | "CloneSet";

/**
 * How the kind's controller brings pods to a new template, where it is not its default; `Restart`:
 * Argo restarts them, without a new template. `Forbid` and `Replace`: a CronJob's policy for a run
 * beside another.
 */
export type WorldUpdate = "Recreate" | "OnDelete" | "Partition" | "Restart" | "Forbid" | "Replace";

/** The workloads of a world, as far as it has so many; they use the same sources. */
export const NAMES = ["web", "api", "batch"] as const;
export type WorkloadName = (typeof NAMES)[number];

/** What is set up before a schedule begins. */
export type WorldConfig = {
  /** `Deployment` where it is left out. */
  readonly kind?: WorldKind;
  /** Where the kind has no such strategy, it counts as left out. */
  readonly update?: WorldUpdate;
  /** A DaemonSet has a pod on each of the {@link NODES} instead. */
  readonly replicas: number;
  /** Tries of a patch before it counts as failed. */
  readonly attempts: number;
  /** 1 where it is left out. */
  readonly workloads?: number;
  readonly maxRolling?: number;
  /** So many failed rollouts of one change halt it; 3 where it is left out. */
  readonly haltAfter?: number;
  /** Pods that are made while ConfigMap cfg has this content never get ready. */
  readonly breaksWith?: number;
  /** Replicas of the restarter; 1 where it is left out. */
  readonly restarters?: number;
  readonly minReadySeconds?: number;
  /** `activeDeadlineSeconds` of a Job, and of those of a CronJob. */
  readonly deadlineSeconds?: number;
};

export const CLUSTER = "model";
export const NAMESPACE = "shop";
export const QUEUE = "default";
export const NODES = ["node-1", "node-2"] as const;
export type NodeName = (typeof NODES)[number];
/** With `Partition`: so many of the lowest ordinals keep their template. */
export const PARTITION = 1;
export const START = Date.parse("2026-03-01T10:00:00.000Z");
/** Rollcast was installed before everything else. */
export const INSTALLED = START - 3_600_000;

const UPDATES: Readonly<Record<WorldKind, readonly WorldUpdate[]>> = {
  Deployment: ["Recreate"],
  StatefulSet: ["OnDelete", "Partition"],
  DaemonSet: ["OnDelete"],
  Rollout: ["Restart"],
  CronJob: ["Forbid", "Replace"],
  Job: [],
  CloneSet: [],
};

/** The strategy of the workload, as far as its kind has it. */
export function updateOf({ kind = "Deployment", update }: WorldConfig): WorldUpdate | undefined {
  return update !== undefined && UPDATES[kind].includes(update) ? update : undefined;
}

/** A kind with a strategy. */
export type WorldShape = Pick<WorldConfig, "kind" | "update">;

/** Every kind with each of its strategies. */
export const SHAPES: readonly WorldShape[] = Object.entries(UPDATES).flatMap(([kind, updates]) => {
  const plain = kind === "Deployment" ? {} : { kind: kind as WorldKind };
  return [plain, ...updates.map((update) => ({ ...plain, update }))];
});

/** As people name a shape: `StatefulSet`, `StatefulSet/OnDelete`. */
export function shapeName({ kind = "Deployment", update }: WorldShape): string {
  return update === undefined ? kind : `${kind}/${update}`;
}

export function namesOf({ workloads = 1 }: WorldConfig): readonly WorkloadName[] {
  return NAMES.slice(0, workloads);
}

export function queuesOf({ attempts, maxRolling, haltAfter }: WorldConfig): readonly Queue[] {
  const queue = {
    name: QUEUE,
    attempts,
    ...(maxRolling === undefined ? {} : { maxRolling }),
    ...(haltAfter === undefined ? {} : { haltAfter }),
  };
  return Queues.parse([queue]);
}
