import type { Observation } from "./observation.ts";
import type { Draft } from "../cluster/object.ts";

/** A write as it took effect in the real cluster. */
export type Effect =
  | { readonly do: "create" }
  | { readonly do: "remove" }
  | { readonly do: "patch"; readonly patch: { readonly [field: string]: unknown } }
  /** Ends the pause of a canary. */
  | { readonly do: "promote" }
  /** A pod of this content; by name where that is always the same. */
  | { readonly do: "delete pod"; readonly content: string; readonly name?: string }
  /** A ResourceQuota of so many pods in the namespace; or none any more. */
  | { readonly do: "quota"; readonly pods: number | null }
  /** The node dies, which nobody has noticed yet, or answers again. */
  | { readonly do: "node"; readonly node: string; readonly state: "dead" | "back" }
  /** A Job of the CronJob, made by hand. */
  | { readonly do: "create job"; readonly count: number; readonly fails?: boolean };

/**
 * When it did: as the observation of this index; or from this one on, and at latest before the
 * other, up to which a controller may not have seen it yet.
 */
export type Placed = {
  readonly effect: Effect;
  readonly at: { readonly exactly: number } | { readonly from: number; readonly late: number };
};

/** What happened to one workload, as the versions of the API server order it. */
export type Trace = {
  readonly kind: string;
  readonly workload: Draft;
  /** Nodes that may die; none where the pods are on one that nobody mentions. */
  readonly nodes?: readonly string[];
  /** Each differs from the one before it, unless a write made it. */
  readonly observations: readonly Observation[];
  readonly effects: readonly Placed[];
  readonly final: string;
};
