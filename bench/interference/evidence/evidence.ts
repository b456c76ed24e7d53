import type { RolloutEvent } from "@rollcast/shared/events";

/** What ran: a workload by `<kind>/<name>`, and the sources that it uses. */
export type ObservedWorkload = { readonly workload: string; readonly sources: readonly string[] };

/**
 * A write of a workload that the API server accepted, by its audit log. Times are milliseconds
 * since 1970; `revision` is etcd's, which orders all writes.
 */
export type Write = {
  readonly workload: string;
  readonly revision: number;
  readonly receivedAt: number;
  readonly answeredAt: number;
  /** Its field manager; of whoever names none, the program. */
  readonly by: string;
  /** Whether Rollcast's user made it. */
  readonly isRollcast: boolean;
  /** The generation after it; unknown where only the scale was answered. */
  readonly generation: number | undefined;
  readonly replicas: number | undefined;
  /** After it: our marker on the pod template, and the template without it. */
  readonly marker: string | undefined;
  readonly template: string;
};

/** A write of a workload that the API server rejected. */
export type Rejection = {
  readonly workload: string;
  readonly answeredAt: number;
  readonly isRollcast: boolean;
  readonly code: number;
  readonly message: string;
};

/** Content that a source got; its digest is that of a workload's marker. */
export type Change = {
  readonly source: string;
  readonly revision: number;
  readonly receivedAt: number;
  readonly answeredAt: number;
  readonly digest: string;
};

export type Pod = {
  readonly workload: string;
  readonly name: string;
  readonly uid: string;
  readonly createdRevision: number;
  readonly createdAt: number;
  /** When somebody began to delete it. */
  readonly deletedAt: number | undefined;
};

/** Everything that a run left behind: what was, and what was published of it. */
export type Evidence = {
  readonly subjects: readonly ObservedWorkload[];
  /** Each list is in the order of what it holds. */
  readonly writes: readonly Write[];
  readonly rejections: readonly Rejection[];
  readonly changes: readonly Change[];
  readonly pods: readonly Pod[];
  /** Events of rollouts, as the stream has them. */
  readonly events: readonly RolloutEvent[];
  /** When a workload's controller has shown that a rollout was late. */
  readonly deadlines: readonly { readonly workload: string; readonly at: number }[];
};

/** Where something that was published is not what happened. */
export type Disagreement = {
  readonly workload: string;
  /** When, in milliseconds since 1970; undefined: at the end. */
  readonly at: number | undefined;
  readonly what: string;
};

/** One question to the evidence. */
export type Comparison = {
  readonly name: string;
  readonly says: string;
  compare(evidence: Evidence): {
    /** How many events, patches or workloads were compared. */
    readonly compared: number;
    readonly disagreements: readonly Disagreement[];
  };
};

/** The workload of an event, as `<kind>/<name>`. */
export function workloadOf({ data }: RolloutEvent): string {
  return `${data.workload.kind}/${data.workload.name}`;
}

export function outcomeOf({ type }: RolloutEvent): string {
  return type.split(".")[3] ?? "";
}

export function timeOf({ time }: RolloutEvent): number {
  return Date.parse(time);
}
