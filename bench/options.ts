import { parseArgs } from "node:util";
import { ALERTS_USAGE } from "./alerts/alerts-options.ts";
import { INTERFERENCE_USAGE } from "./interference/interference-options.ts";
import type { Scenario, Sizes } from "./lab/scenario.ts";
import { combinedMemory, memory } from "./scenarios/memory/memory.ts";
import { fanOut } from "./scenarios/rollout/fan-out.ts";
import { latency } from "./scenarios/rollout/latency.ts";
import { publish } from "./scenarios/watcher/publish.ts";
import { sync } from "./scenarios/watcher/sync.ts";

/** What was asked for. */
export type Options = {
  readonly scenario: Scenario;
  readonly sizes: Sizes;
  /** A revision of git to measure beside this checkout. */
  readonly base: string | undefined;
  readonly rounds: number;
  /** MiB of memory of each container. */
  readonly limit: number;
  readonly nodeOptions: readonly string[];
  /** Where the figures go as JSON. */
  readonly json: string | undefined;
};

/** The chart's memory limit in MiB. */
const LIMIT = 256;
/** Enough for an interval that is of use. */
const ROUNDS_BESIDE_BASE = 8;

const GENERAL = {
  base: { type: "string" },
  rounds: { type: "string" },
  limit: { type: "string" },
  "node-options": { type: "string" },
  json: { type: "string" },
} as const;

/** How the command is used, with every scenario. */
export function usage(): string {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
  const lines = SCENARIOS.flatMap(({ name, about, sizes }) => {
    const options = Object.entries(sizes).map(([size, count]) => `--${size} ${count}`);
    return [`  ${name.padEnd(width)}  ${about}`, `  ${" ".repeat(width)}  ${options.join(" ")}`];
  });
  return [
    "usage: npm run bench -- SCENARIO [--base REVISION] [--rounds N] [--json FILE]",
    '                        [--limit MIB] [--node-options "..."] [SIZES]',
    "",
    ...lines,
    ...[...INTERFERENCE_USAGE, ...ALERTS_USAGE].map((line) => `  ${line}`),
  ].join("\n");
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${name} is "${text}": a whole number above 0 is needed`);
}

/** Reads the arguments. Throws with what is wrong, and what would be right. */
export function optionsOf(args: readonly string[]): Options {
  const [name, ...rest] = args;
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined) {
    throw new Error(name === undefined ? "no scenario" : `no scenario is called "${name}"`);
  }
  const own = Object.fromEntries(
    Object.keys(scenario.sizes).map((size) => [size, { type: "string" }] as const),
  );
  const { values } = parseArgs({ args: rest, options: { ...own, ...GENERAL } });
  const given = values as Readonly<Record<string, string | undefined>>;
  const numberOf = (option: string, otherwise: number) =>
    given[option] === undefined ? otherwise : count(option, given[option]);
  const sizes = Object.entries(scenario.sizes).map(([size, n]) => [size, numberOf(size, n)]);
  return {
    scenario,
    sizes: Object.fromEntries(sizes) as Sizes,
    base: given.base,
    rounds: numberOf("rounds", given.base === undefined ? 1 : ROUNDS_BESIDE_BASE),
    limit: numberOf("limit", LIMIT),
    nodeOptions: given["node-options"]?.split(" ") ?? [],
    json: given.json,
  };
}

export const SCENARIOS: readonly Scenario[] = [
  latency,
  fanOut,
  memory,
  combinedMemory,
  publish,
  sync,
];
