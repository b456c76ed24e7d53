import { parseArgs } from "node:util";

export type AlertsOptions = {
  /** Names of scenarios; empty: all. */
  readonly only: readonly string[];
  /** How many times faster than the clock everything is done, for a look at it. */
  readonly speed: number;
  /** A folder that takes everything that was scraped. */
  readonly keep: string | undefined;
  /** Such a folder: nothing is recorded, the fixtures are made from it again. */
  readonly from: string | undefined;
  /** Where fixtures are written; default: where the tests read them. */
  readonly to: string | undefined;
};

/** How it is used, as lines of the list of scenarios. */
export const ALERTS_USAGE: readonly string[] = [
  "alerts        records the metrics of faults and of quiet hours, for the tests of the alerts",
  "              [--only NAME,...] [--keep FOLDER | --from FOLDER] [--to FOLDER] [--speed 1]",
];

/** Reads the arguments. Throws with what is wrong, and what would be right. */
export function alertsOptions(args: readonly string[]): AlertsOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      speed: { type: "string" },
      keep: { type: "string" },
      from: { type: "string" },
      to: { type: "string" },
    },
  });
  const { only, keep, from, to } = values;
  const speed = Number(values.speed ?? 1);
  if (!(speed > 0)) throw new Error(`--speed is "${values.speed}": a number above 0 is needed`);
  if (speed !== 1 && to === undefined) throw new Error("--speed is for a look: it needs --to");
  return { only: only?.split(",") ?? [], speed, keep, from, to };
}
