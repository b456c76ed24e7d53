import { median } from "./stats.ts";

/** A ratio and the interval in which it lies by 95 %. */
export type Ratio = { readonly ratio: number; readonly low: number; readonly high: number };

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
