import type { Facts } from "./facts.ts";

/** The promise is broken: what is wrong, where in the history. */
export type Violation = {
  readonly property: string;
  readonly what: string;
  /** The place in the history. */
  readonly i: number;
  /** As `<kind>/<name>`; undefined where it is about all of them. */
  readonly workload?: string | undefined;
};

/** Of one about all workloads: with the workload that it is about, where there is one. */
export type Fault = Omit<Violation, "property">;

/** One part of the promise. */
export type Property = {
  readonly name: string;
  /** What holds of every history. */
  readonly says: string;
  /** About all workloads together, where it is set; else about each. */
  readonly ofAll?: true;
  readonly faults: (facts: Facts) => readonly Fault[];
};
