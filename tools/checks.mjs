// What `npm test` runs, one after the other, also after a failure.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { elapsed } from "./progress.mjs";
import { runOpenly } from "./run-command.mjs";
import { closingLine, countTests, readReport, sum } from "./tally.mjs";

/** @typedef {import("./tally.mjs").Tally} Tally */
/** @typedef {import("./run-command.mjs").RunOptions & {cwd: string, progress: import("./progress.mjs").Progress}} Options */

const CHECKS = [
  { name: "type check", command: "tsc", args: ["--build"] },
  { name: "lint", command: "oxlint", args: ["--deny-warnings"] },
  { name: "format check", command: "oxfmt", args: ["--check"] },
  { name: "knip", command: "knip", args: [] },
];
const PROJECTS = ["unit", "integration"];

/**
 * @param {string} name
 * @param {Options} options
 * @param {() => Promise<Tally>} work
 */
async function timed(name, options, work) {
  if (options.signal.aborted) return { name, ms: 0, tally: { passed: 0, failed: 1, skipped: 0 } };
  options.progress.say(`\n== ${name}`);
  const since = Date.now();
  const tally = await work();
  return { name, ms: Date.now() - since, tally };
}

/**
 * @param {string} project
 * @param {readonly string[]} args
 * @param {Options} options
 * @returns {Promise<Tally>}
 */
async function runVitest(project, args, options) {
  const report = join(options.cwd, ".cache", `vitest-${project}-${process.pid}.json`);
  await mkdir(join(options.cwd, ".cache"), { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  // Arguments may name files of the other project only.
  const some = args.length > 0 ? ["--passWithNoTests"] : [];
  const vitest = join(options.cwd, "node_modules", ".bin", "vitest");
  const code = await runOpenly(
    vitest,
    ["run", "--project", project, ...reporters, ...some, ...args],
    options,
  );
  const tally = countTests(await readReport(report), code);
  await rm(report, { force: true });
  return tally;
}

/**
 * Prints what ran, and last `N passed, N failed`.
 * @param {readonly string[]} args for vitest
 * @param {Options} options
 * @returns {Promise<number>} exit code
 */
export async function runChecks(args, options) {
  const results = [];
  for (const { name, command, args: own } of CHECKS) {
    const program = join(options.cwd, "node_modules", ".bin", command);
    const work = async () => {
      const code = await runOpenly(program, own, options);
      return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
    };
    results.push(await timed(name, options, work));
  }
  for (const project of PROJECTS) {
    results.push(await timed(`${project} tests`, options, () => runVitest(project, args, options)));
  }
  const tests = results.slice(CHECKS.length).map((result) => result.tally);
  if (sum(tests).passed + sum(tests).failed + sum(tests).skipped === 0) {
    const tally = { passed: 0, failed: 1, skipped: 0 };
    results.push({ name: "no test was found", ms: 0, tally });
  }
  options.progress.say("");
  for (const { name, ms, tally } of results) {
    options.progress.say(
      `  ${tally.failed === 0 ? "ok    " : "FAILED"} ${name}: ${closingLine(tally)} (${elapsed(ms)})`,
    );
  }
  const total = sum(results.map((result) => result.tally));
  options.progress.say(closingLine(total));
  return total.failed === 0 ? 0 : 1;
}
