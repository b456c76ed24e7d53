// Counting what passed and failed.
import { readFile } from "node:fs/promises";

/** @typedef {{passed: number, failed: number, skipped: number}} Tally */

/**
 * The part of vitest's JSON report that counts (https://vitest.dev/guide/reporters#json-reporter).
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} [numTodoTests]
 * @property {readonly {status: string, assertionResults: readonly unknown[]}[]} testResults
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
