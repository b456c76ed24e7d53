import type { Measurement } from "../lab/scenario.ts";
import { ratioOf } from "./bootstrap.ts";
import type { Ratio } from "./bootstrap.ts";
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
