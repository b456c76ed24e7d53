import { parseArgs } from "node:util";

export type InterferenceOptions = {
  readonly minutes: number;
  readonly changes: number;
  /** Where the figures go as JSON. */
  readonly json: string | undefined;
  /** A folder that takes everything which was compared. */
  readonly keep: string | undefined;
};

const MINUTES = 10;
const CHANGES = 200;

/** How it is used, as lines of the list of scenarios. */
export const INTERFERENCE_USAGE: readonly string[] = [
  "interference  every event beside the audit log and the pods, while others write the workloads",
  `              --minutes ${MINUTES} --changes ${CHANGES} [--json FILE] [--keep FOLDER]`,
];

function count(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${option} is "${text}": a number above 0 is needed`);
}

/** Reads the arguments. Throws with what is wrong, and what would be right. */
export function interferenceOptions(args: readonly string[]): InterferenceOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string" },
      changes: { type: "string" },
      json: { type: "string" },
      keep: { type: "string" },
    },
  });
  return {
    minutes: count("minutes", values.minutes, MINUTES),
    changes: Math.ceil(count("changes", values.changes, CHANGES)),
    json: values.json,
    keep: values.keep,
  };
}
