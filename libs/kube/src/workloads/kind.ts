import type { KubeObject } from "../object.ts";

/** A pod template as far as Rollcast reads it. */
export type PodTemplate = {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
};

/**
 * Where a workload stands on the way to its newest pod template, by the rules of
 * `kubectl rollout status`: `unobserved` its controller has not seen the newest spec,
 * `progressing`, `complete`, `failed` given up by its controller. `reason` of `complete` says what
 * the kind leaves to others (`OnDelete`, `Partition`).
 */
export type RolloutStatus =
  | {
      readonly state: "unobserved" | "progressing";
      /** The failure that its controller still tells of an earlier generation. */
      readonly before?: RolloutStatus | undefined;
      readonly message?: string;
      /** What its controller could not do, and tries again: a failure once the rollout is late. */
      readonly refused?: { readonly reason: string; readonly message: string };
    }
  | { readonly state: "complete"; readonly reason?: string; readonly message?: string }
  | {
      readonly state: "failed";
      readonly reason: string;
      readonly message: string;
      /** Identifies the condition that says so: it may be there from before the patch. */
      readonly condition?: string;
      /** All pods were restarted nevertheless, as its owner has asked for by a time. */
      readonly restarted?: true;
    };

/**
 * How a workload is brought to new content: by a `patch` of its pod template; by a time before
 * which its pods must not have been made (`restart`); by a `job` that is run from its template; by
 * being deleted and made again (`recreate`).
 */
export type RollBy = "patch" | "restart" | "job" | "recreate";

/** Annotations under our own names. */
export type Annotations = Readonly<Record<string, string>>;

/** A template that is another workload's. */
export type TemplateRef = {
  readonly kind: string;
  readonly name: string;
  readonly observedGeneration: number;
};

/** A template that is no workload's: an object of this resource has it, and nobody rolls that. */
export type PodTemplateRef = TemplateRef & {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Changes with each template of it that its controller has observed. */
  readonly observed: string;
  /** The fields that lead to the template. */
  readonly path: readonly string[];
};

/** What one kind of workload is and how it reports its rollouts. One file each in this folder. */
export type WorkloadKind = {
  /** As Kubernetes spells it: `Deployment`. */
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Served only where its CRD is installed, which may come and go. */
  readonly optional?: true;
  /** JSON pointer of the pod template. */
  readonly templatePath: string;
  template(object: KubeObject): PodTemplate | undefined;
  /**
   * The workload whose template it takes for its pods, in its own namespace, and the generation of
   * it that its controller has seen.
   */
  workloadRef?(object: KubeObject): TemplateRef | undefined;
  /** The object whose template it takes for its pods, if that is no workload. */
  podTemplateRef?(object: KubeObject): PodTemplateRef | undefined;
  /** `patch` where it is left out. */
  rollBy?(object: KubeObject, annotations: Annotations): RollBy;
  /** Where it is rolled by `restart`: the time that is set now, as it is written. */
  restartedAt?(object: KubeObject): string | undefined;
  /**
   * Which rollout its controller has begun last: a number counts up, and a text is the hash of a
   * template. Where it is given, only a later or another one than before the patch is ours.
   */
  revision?(object: KubeObject): number | string | undefined;
  /** Why it must not be rolled now; it is when that has ended. */
  hold?(object: KubeObject): "Suspended" | "Running" | undefined;
  /** Of one that is suspended: whether its controller has stopped its pods, or made none. */
  stopped?(object: KubeObject): boolean;
  /** Whether nothing new may be run while something of it runs. */
  exclusive?(object: KubeObject): boolean;
  /** Whether it has run to its end: its pods take no new content by themselves. */
  finished?(object: KubeObject): boolean;
  /** Whether a tool that deploys waits for its end: a hook of Helm or Argo CD. */
  hook?(object: KubeObject): boolean;
  /**
   * Its objects come and go in numbers: those that can never roll, and were not made by us, are not
   * kept.
   */
  readonly transient?: true;
  status(object: KubeObject): RolloutStatus;
  /** Whether its controller waits for somebody to resume it. */
  paused(object: KubeObject): boolean;
  /** Whether an edit of the template restarts the pods without anybody's further doing. */
  restartsOnEdit(object: KubeObject): boolean;
  /**
   * Milliseconds after which a rollout that is not complete is late; undefined where the kind has
   * no such limit.
   */
  deadlineMs(object: KubeObject): number | undefined;
  /**
   * The label selector of its pods, where some of them may keep the old template until their owner
   * deletes them (`OnDelete`); those are named at the end.
   */
  leftPods?(object: KubeObject): string | undefined;
};
