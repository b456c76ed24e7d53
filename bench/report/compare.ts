import type { Measurement } from "../lab/scenario.ts";
import { median } from "./stats.ts";

/** One measurement over all rounds. */
export type Row = {
  readonly name: string;
  readonly unit: string;
  /** A value a round, in their order. */
  readonly values: readonly number[];
  readonly median: number;
  /** Only where another commit was measured beside it. */
  readonly base?: { readonly values: readonly number[]; readonly median: number } & Ratio;
};

/** What one round measured, of the base only where there is one. */
export type Round = {
  readonly base?: readonly Measurement[];
  readonly measured: readonly Measurement[];
};

function valueOf(measured: readonly Measurement[] | undefined, name: string): number | undefined {
  return measured?.find((measurement) => measurement.name === name)?.value;
}

/** A row for each measurement of the first round. Throws where another round lacks it. */
export function compareRounds(rounds: readonly Round[]): Row[] {
  return (rounds[0]?.measured ?? []).map(({ name, unit }) => {
    const pairs = rounds.map(({ base, measured }, i) => {
      const after = valueOf(measured, name);
      if (after === undefined) throw new Error(`round ${i + 1} did not measure "${name}"`);
      return [valueOf(base, name), after] as const;
    });
    const values = pairs.map(([, after]) => after);
    const row = { name, unit, values, median: median(values) };
    const both = pairs.filter((pair): pair is [number, number] => pair[0] !== undefined);
    if (both.length === 0) return row;
    const before = both.map(([value]) => value);
    return { ...row, base: { values: before, median: median(before), ...ratioOf(both) } };
  });
}

/** A ratio and the interval in which it lies by 95 %. */
type Ratio = { readonly ratio: number; readonly low: number; readonly high: number };

const RESAMPLES = 10_000;
const OUTSIDE = 0.025;

/** Numbers from 0 to below 1, the same in every run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The median of the ratios after/before of pairs that ran one after the other, with its percentile
 * bootstrap interval (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13). Pairs,
 * as both of a pair met the same load of the machine. NaN without pairs; with one there is no
 * interval: from 0 to infinity.
 */
export function ratioOf(pairs: readonly (readonly [before: number, after: number])[]): Ratio {
  const ratios = pairs.map(([before, after]) => after / before);
  const ratio = median(ratios);
  if (ratios.length < 2) return { ratio, low: 0, high: Number.POSITIVE_INFINITY };
  const next = random(1);
  const resampled = Array.from({ length: RESAMPLES }, () =>
    median(ratios.map(() => ratios[Math.floor(next() * ratios.length)] ?? Number.NaN)),
  ).toSorted((a, b) => a - b);
  const at = (share: number) => resampled[Math.floor((RESAMPLES - 1) * share)] ?? Number.NaN;
  return { ratio, low: at(OUTSIDE), high: at(1 - OUTSIDE) };
}
