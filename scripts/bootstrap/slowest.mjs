// Names the tests that take longest, so that a run that grows is noticed while it is cheap to mend.
import { relative } from "node:path";

/** How many are named. */
export const SLOWEST = 10;

/**
 * A title and one line for each of the slowest tests over all reports, the slowest first: its
 * seconds, its file and its name. Nothing where no test ran.
 * @param {readonly (import("./tally.mjs").Report | undefined)[]} reports
 * @param {string} root what the files are named from
 * @returns {string[]}
 */
export function slowestTests(reports, root) {
  const lines = reports
    .flatMap((report) => report?.testResults ?? [])
    .flatMap(({ name, assertionResults }) =>
      assertionResults.map(({ fullName, duration }) => ({
        ms: duration ?? 0,
        what: `${relative(root, name)} > ${fullName}`,
      })),
    )
    .filter(({ ms }) => ms > 0)
    .toSorted((a, b) => b.ms - a.ms)
    .slice(0, SLOWEST)
    .map(({ ms, what }) => `${(ms / 1_000).toFixed(1).padStart(6)} s  ${what}`);
  return lines.length === 0 ? [] : ["the slowest tests:", ...lines];
}
