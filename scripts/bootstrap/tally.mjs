// Counts what passed and failed.
import { readFile } from "node:fs/promises";

/** @typedef {{passed: number, failed: number, skipped: number}} Tally */

/**
 * The part of vitest's JSON report that is used (https://vitest.dev/guide/reporters#json-reporter).
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} [numTodoTests]
 * @property {readonly FileResult[]} testResults
 */

/**
 * `message` says why the file has no tests; a test has one message for each failed attempt.
 * @typedef {object} FileResult
 * @property {string} status
 * @property {string} name
 * @property {string} message
 * @property {readonly TestResult[]} assertionResults
 */

/**
 * `duration` is in milliseconds.
 * @typedef {{fullName: string, status: string, failureMessages: readonly string[],
 *   duration?: number | null}} TestResult
 */

/**
 * @param {string} file
 * @returns {Promise<any>} undefined where it is not there, or not JSON
 */
export async function readJson(file) {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Whether it failed at its first try: no second try counts.
 * @param {TestResult} test
 */
export function hasFailed({ status, failureMessages }) {
  return status === "failed" || (status === "passed" && failureMessages.length > 0);
}

/**
 * Each test counts once, and so does each file that failed before it had tests. A run that failed
 * although no test did (in its set-up, or by an uncaught error) counts as one failure.
 * @param {Report | undefined} report undefined where there is none
 * @param {number} code exit code of vitest
 * @returns {Tally}
 */
export function countTests(report, code) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const retried = tests.filter((test) => test.status === "passed" && hasFailed(test)).length;
  const failed = report.numFailedTests + broken.length + retried;
  return {
    passed: report.numPassedTests - retried,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
  };
}

/**
 * @param {readonly Tally[]} tallies
 * @returns {Tally}
 */
export function sumTallies(tallies) {
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
