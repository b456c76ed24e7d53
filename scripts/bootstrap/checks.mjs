// What `npm test` runs, in sequence, continuing after a failure.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { elapsed } from "./progress.mjs";
import { runOpenly } from "./run-command.mjs";
import { slowestTests } from "./slowest.mjs";
import { closingLine, countTests, readJson, sumTallies } from "./tally.mjs";
import { troubles, uncaughtTroubles } from "./troubles.mjs";
import { UNCAUGHT_FILE } from "./uncaught-reporter.mjs";

/** @typedef {import("./tally.mjs").Tally} Tally */
/** @typedef {import("./tally.mjs").Report} Report */
/** @typedef {{tally: Tally, troubles: readonly string[], report?: Report | undefined}} Outcome */
/** @typedef {import("./progress.mjs").Progress} Progress */
/** @typedef {import("./run-command.mjs").RunOptions & {cwd: string, progress: Progress}} Options */

const CHECKS = [
  { name: "type check", command: "tsc", args: ["--build"] },
  { name: "lint", command: "oxlint", args: ["--deny-warnings"] },
  { name: "format check", command: "oxfmt", args: ["--check"] },
  { name: "knip", command: "knip", args: [] },
];
const PROJECTS = ["unit", "integration"];
/** @type {Tally} */
const FAILURE = { passed: 0, failed: 1, skipped: 0 };

/**
 * @param {string} name
 * @param {Options} options
 * @param {() => Promise<Outcome>} work
 */
async function timed(name, options, work) {
  if (options.signal.aborted) return { name, ms: 0, tally: FAILURE, troubles: [] };
  options.progress.say(`\n== ${name}`);
  const since = Date.now();
  const outcome = await work();
  return { name, ms: Date.now() - since, ...outcome };
}

/**
 * @param {string} project
 * @param {readonly string[]} args
 * @param {Options} options
 * @returns {Promise<Outcome>}
 */
async function runVitest(project, args, options) {
  const cache = join(options.cwd, ".cache");
  const report = join(cache, `vitest-${project}-${process.pid}.json`);
  const uncaught = join(cache, `uncaught-${project}-${process.pid}.json`);
  await mkdir(cache, { recursive: true });
  const reporters = [
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    `--reporter=${join(options.cwd, "scripts", "bootstrap", "uncaught-reporter.mjs")}`,
  ];
  // Arguments may name files of the other project only.
  const some = args.length > 0 ? ["--passWithNoTests"] : [];
  const vitest = join(options.cwd, "node_modules", ".bin", "vitest");
  const code = await runOpenly(
    vitest,
    ["run", "--project", project, ...reporters, ...some, ...args],
    { ...options, env: { ...(options.env ?? process.env), [UNCAUGHT_FILE]: uncaught } },
  );
  /** @type {Report | undefined} */
  const testReport = await readJson(report);
  /** @type {import("./troubles.mjs").Uncaught[] | undefined} */
  const errors = await readJson(uncaught);
  for (const file of [report, uncaught]) await rm(file, { force: true });
  const lines = [...troubles(testReport, options.cwd), ...uncaughtTroubles(errors, options.cwd)];
  return { tally: countTests(testReport, code), troubles: lines, report: testReport };
}

/**
 * Runs the checks and the projects of `npm test`. Prints what ran, the slowest tests,
 * and last `N passed, N failed`.
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
      const tally = code === 0 ? { passed: 1, failed: 0, skipped: 0 } : FAILURE;
      return { tally, troubles: [] };
    };
    results.push(await timed(name, options, work));
  }
  return report([...results, ...(await runProjects(PROJECTS, args, options))], options);
}

/**
 * Runs projects of vitest alone. Prints what {@link runChecks} does.
 * @param {readonly string[]} projects
 * @param {readonly string[]} args for vitest
 * @param {Options} options
 * @returns {Promise<number>} exit code
 */
export async function runTests(projects, args, options) {
  return report(await runProjects(projects, args, options), options);
}

/**
 * @param {readonly string[]} projects
 * @param {readonly string[]} args
 * @param {Options} options
 */
async function runProjects(projects, args, options) {
  const results = [];
  for (const project of projects) {
    results.push(await timed(`${project} tests`, options, () => runVitest(project, args, options)));
  }
  const { passed, failed, skipped } = sumTallies(results.map((result) => result.tally));
  if (passed + failed + skipped === 0) {
    results.push({ name: "no test was found", ms: 0, tally: FAILURE, troubles: [] });
  }
  return results;
}

/**
 * @param {readonly (Outcome & {name: string, ms: number})[]} results
 * @param {Options} options
 * @returns {number} exit code
 */
function report(results, options) {
  options.progress.say("");
  for (const { name, ms, tally, troubles: lines } of results) {
    options.progress.say(
      `  ${tally.failed === 0 ? "ok    " : "FAILED"} ${name}: ${closingLine(tally)} (${elapsed(ms)})`,
    );
    for (const line of lines) options.progress.say(`         ${line}`);
  }
  const reports = results.map((result) => result.report);
  for (const line of slowestTests(reports, options.cwd)) options.progress.say(`  ${line}`);
  const total = sumTallies(results.map((result) => result.tally));
  options.progress.say(closingLine(total));
  return total.failed === 0 ? 0 : 1;
}
