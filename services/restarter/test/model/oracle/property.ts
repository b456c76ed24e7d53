import type { Facts } from "./facts.ts";

/** The promise is broken: what is wrong, where in the history. */
export type Violation = {
  readonly property: string;
  readonly what: string;
  /** The place in the history. */
  readonly i: number;
};

export type Fault = Omit<Violation, "property">;

/** One part of the promise. */
export type Property = {
  readonly name: string;
  /** What holds of every history. */
  readonly says: string;
  readonly faults: (facts: Facts) => readonly Fault[];
};
