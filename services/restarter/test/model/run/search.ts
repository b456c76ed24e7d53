import fc from "fast-check";
import { configsOf, schedules } from "./arbitrary.ts";
import { SHAPES } from "../world/config.ts";
import type { WorldShape } from "../world/config.ts";
import { violationsOf } from "../oracle/oracle.ts";
import type { Violation } from "../oracle/property.ts";
import { shorten } from "./shorten.ts";
import type { Run } from "./run.ts";
import { run } from "./run.ts";

/** A schedule with what is wrong in it. */
export type Found = {
  readonly run: Run;
  readonly violations: readonly Violation[];
  readonly seed: number;
  readonly path: string;
};

export type SearchOptions = {
  readonly seed: number;
  readonly runs: number;
  /** The violations that are looked for. */
  readonly wanted: (run: Run, violations: readonly Violation[]) => readonly Violation[];
  /** Of the workloads; all where it is left out. */
  readonly shapes?: readonly WorldShape[] | undefined;
  /** Begins at one place of the seed's schedules. */
  readonly path?: string | undefined;
};

/**
 * The shortest schedule near the first with a wanted violation; undefined if there is none in so
 * many runs.
 */
export async function search({
  seed,
  runs,
  wanted,
  path,
  shapes = SHAPES,
}: SearchOptions): Promise<Found | undefined> {
  const holds = async (config: Run["config"], schedule: Run["schedule"]) => {
    const done = await run(config, schedule);
    return wanted(done, violationsOf(done.history)).length === 0;
  };
  const property = fc.asyncProperty(configsOf(shapes), schedules, holds);
  const details = await fc.check(property, {
    seed,
    numRuns: runs,
    ...(path === undefined ? {} : { path }),
  });
  const { counterexample, counterexamplePath, errorInstance } = details;
  if (counterexample === null) return undefined;
  if (errorInstance instanceof Error && !errorInstance.message.startsWith("Property failed")) {
    throw errorInstance;
  }
  const shortCase = await shorten(counterexample, async (given) => !(await holds(...given)));
  const shortest = await run(...shortCase);
  const violations = wanted(shortest, violationsOf(shortest.history));
  return { run: shortest, violations, seed, path: counterexamplePath ?? "" };
}
