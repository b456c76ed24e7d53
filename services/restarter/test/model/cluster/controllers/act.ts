import type { ObjectStore } from "../object-store.ts";

/** One thing that a controller may do next; which of them happens, and when, is up to the world. */
export type Act = { readonly name: string; run(): void };

/** A mistake that is planted in a controller, to see that it is found. */
export type Fault =
  | "observes-early"
  | "ignores-partition"
  | "ignores-surge"
  | "never-times-out"
  | "counts-terminating"
  | "ignores-quota"
  | "gives-up-early"
  | "passes-pauses"
  | "ignores-unavailable"
  | "counts-dead-nodes"
  | "stays-unready"
  | "never-evicts";

export type Faults = ReadonlySet<Fault>;

export const NO_FAULTS: Faults = new Set();

/** What one controller may do next with the present objects. */
export type Controller = (store: ObjectStore, faults?: Faults) => Act[];
