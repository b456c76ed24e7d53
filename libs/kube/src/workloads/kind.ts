import type { KubeObject } from "../object.ts";

/** A pod template as far as Rollcast reads it. */
export type PodTemplate = {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
};

/**
 * Where a workload stands on the way to its newest pod template, by the rules of `kubectl rollout status`:
 * `unobserved` its controller has not seen the newest spec, `progressing`, `complete`, `failed` given up by its controller.
 */
export type RolloutStatus =
  | { readonly state: "unobserved" | "progressing" | "complete"; readonly message?: string }
  | { readonly state: "failed"; readonly reason: string; readonly message: string };

/** What one kind of workload is and how it tells of its rollouts. One file each in this folder. */
export type WorkloadKind = {
  /** As Kubernetes spells it: `Deployment`. */
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** JSON pointer of the pod template. */
  readonly templatePath: string;
  template(object: KubeObject): PodTemplate | undefined;
  status(object: KubeObject): RolloutStatus;
  /** Whether its controller waits for somebody to resume it. */
  paused(object: KubeObject): boolean;
  /** Whether an edit of the template restarts the pods without anybody's further doing. */
  restartsOnEdit(object: KubeObject): boolean;
  /** Milliseconds after which a rollout that is not complete is late; undefined where the kind has no such limit. */
  deadlineMs(object: KubeObject): number | undefined;
};
