import type { ServiceName } from "@rollcast/testkit/services";
import type { Images } from "./image.ts";

/** One number that a scenario measured. */
export type Measurement = {
  /** The same in every run of the scenario, e.g. `change to pod template, p50`. */
  readonly name: string;
  /** E.g. `ms`, `MiB`, `1/s`; empty for a ratio. */
  readonly unit: string;
  readonly value: number;
};

/** What is measured: the services of one commit, as their images hold them. */
export type Subject = {
  readonly images: Images;
  /** Memory limit of each container in MiB. */
  readonly limit: number;
  /** Options of Node beside the image's. */
  readonly nodeOptions: readonly string[];
};

/** How much of everything, by the names of the scenario's options. */
export type Sizes = Readonly<Record<string, number>>;

/** A piece of work whose cost matters, on real servers. */
export type Scenario = {
  readonly name: string;
  /** A phrase for the list of scenarios. */
  readonly about: string;
  readonly services: readonly ServiceName[];
  /** Its options, with the sizes where none is given. */
  readonly sizes: Sizes;
  /** Once, on servers of its own that it starts empty. */
  measure(subject: Subject, sizes: Sizes): Promise<Measurement[]>;
};

/** A size that the scenario has an option for. Throws for any other. */
export function sizeOf(sizes: Sizes, name: string): number {
  const size = sizes[name];
  if (size === undefined) throw new Error(`the scenario has no size ${name}`);
  return size;
}
