// Counting what passed and failed, and naming what did not pass at once.
import { readFile } from "node:fs/promises";
import { relative } from "node:path";

/** @typedef {{passed: number, failed: number, skipped: number}} Tally */

/**
 * The part of vitest's JSON report that counts (https://vitest.dev/guide/reporters#json-reporter).
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} [numTodoTests]
 * @property {readonly FileResult[]} testResults
 */

/**
 * `message` is why the file has no tests; the messages of a test are those of each of its tries that failed.
 * @typedef {object} FileResult
 * @property {string} status
 * @property {string} name
 * @property {string} message
 * @property {readonly {fullName: string, status: string, failureMessages: readonly string[]}[]} assertionResults
 */

/**
 * @param {string} file
 * @returns {Promise<Report | undefined>}
 */
export async function readReport(file) {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Each test counts one, and so does each file that failed before it had any. A run that failed although no test did (its set-up, an error nobody caught)
 * counts one failure.
 * @param {Report | undefined} report undefined where there is none
 * @param {number} code exit code of vitest
 * @returns {Tally}
 */
export function countTests(report, code) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  const failed = report.numFailedTests + broken.length;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
  };
}

/**
 * @param {readonly Tally[]} tallies
 * @returns {Tally}
 */
export function sum(tallies) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const tally of tallies) {
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
  }
  return total;
}

/**
 * @param {Tally} tally
 * @returns {string}
 */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

const MAX_MESSAGE = 300;

/** @param {string} message */
function firstLine(message) {
  const [line = ""] = message.split("\n");
  return line.slice(0, MAX_MESSAGE);
}

/**
 * One line for each test that failed, or passed only when it was run again: its file, its name and what was wrong.
 * @param {Report | undefined} report
 * @param {string} root what the files are named from
 * @returns {string[]}
 */
export function troubles(report, root) {
  const lines = [];
  for (const { name, message, status, assertionResults } of report?.testResults ?? []) {
    const file = relative(root, name);
    if (status === "failed" && assertionResults.length === 0)
      lines.push(`failed: ${file}: ${firstLine(message)}`);
    for (const test of assertionResults) {
      const [why] = test.failureMessages;
      const word = test.status === "failed" ? "failed" : "passed only when run again";
      if (test.status === "failed" || (test.status === "passed" && why !== undefined))
        lines.push(`${word}: ${file} > ${test.fullName}: ${firstLine(why ?? "")}`);
    }
  }
  return lines;
}
