import { findingOf } from "./findings/findings.ts";
import { PROPERTIES } from "./oracle/oracle.ts";
import type { Violation } from "./oracle/property.ts";
import { caseText, historyText } from "./run/print.ts";
import type { Found } from "./run/search.ts";
import type { WorldShape } from "./world/config.ts";
import { search } from "./run/search.ts";
import type { Run } from "./run/run.ts";

/** Schedules between two looks at the clock. */
const BATCH = 5;

export type ExploreOptions = {
  /** Each is tried once; without `onlySeeds` the last, and those after it, until the time is up. */
  readonly seeds: readonly number[];
  readonly onlySeeds?: boolean;
  /** No more than the seeds where it is left out. */
  readonly ms?: number;
  /** Of the workloads; all where it is left out. */
  readonly shapes?: readonly WorldShape[] | undefined;
  readonly progress?: (schedules: number) => void;
};

/** Violations that are not known already. */
export function unknownViolations(run: Run, violations: readonly Violation[]): Violation[] {
  return violations.filter((violation) => findingOf(run, violation) === undefined);
}

/** Runs schedules until one breaks the promise in a way that is not known, or the time is up. */
export async function explore(options: ExploreOptions): Promise<Found | undefined> {
  const { seeds, onlySeeds = false, ms = Number.POSITIVE_INFINITY, progress, shapes } = options;
  const end = performance.now() + ms;
  const last = seeds.at(-1) ?? 1;
  for (let i = 0; performance.now() < end; i++) {
    if (onlySeeds && i >= seeds.length) break;
    const seed = seeds[i] ?? last + i - seeds.length + 1;
    const hit = await search({ seed, runs: BATCH, wanted: unknownViolations, shapes });
    if (hit !== undefined) return hit;
    progress?.(BATCH);
  }
  return undefined;
}

/** A new case, for people. */
export function foundText({ run, violations, seed, path }: Found): string {
  const broken = PROPERTIES.filter(({ name }) =>
    violations.some(({ property }) => property === name),
  );
  return [
    `seed ${seed}, path ${path}`,
    caseText(run, violations),
    "What is promised:",
    ...broken.map(({ name, says }) => `- ${name}: ${says}`),
    "",
    "What happened:",
    historyText(run.history),
  ].join("\n");
}
