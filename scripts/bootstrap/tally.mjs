// Counts what passed and failed, and names what failed.
import { readFile } from "node:fs/promises";
import { relative } from "node:path";

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
 * An uncaught error, as vitest passes it to reporters: the test that ran at the time need not be
 * the one that caused it.
 * @typedef {object} Uncaught
 * @property {string} [type] e.g. `Unhandled Rejection`
 * @property {string} [name]
 * @property {string} [message]
 * @property {string} [stack]
 * @property {string} [VITEST_TEST_PATH]
 * @property {string} [VITEST_TEST_NAME]
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
function hasFailed({ status, failureMessages }) {
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

const MAX_MESSAGE = 300;

/** @param {string} message */
function firstLine(message) {
  const [line = ""] = message.split("\n");
  return line.slice(0, MAX_MESSAGE);
}

/**
 * One line for each test that failed, if only at its first try: its file, its name and the failure.
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
      if (hasFailed(test))
        lines.push(`failed: ${file} > ${test.fullName}: ${firstLine(why ?? "")}`);
    }
  }
  return lines;
}

const MAX_FRAMES = 4;

/**
 * One line for each uncaught error: its message, the test that ran at the time, and its origin.
 * @param {readonly Uncaught[] | undefined} errors
 * @param {string} root
 * @returns {string[]}
 */
export function uncaughtTroubles(errors, root) {
  return (errors ?? []).map(({ type, name, message, stack, ...ran }) => {
    const { VITEST_TEST_PATH: file, VITEST_TEST_NAME: test } = ran;
    const during =
      file === undefined
        ? ""
        : ` during ${[relative(root, file), test].filter(Boolean).join(" > ")}`;
    const frames = (stack ?? "").split("\n").filter((line) => line.trim().startsWith("at "));
    const where = frames.slice(0, MAX_FRAMES).map((line) => line.trim().replaceAll(`${root}/`, ""));
    const what = `${name ?? "Error"}: ${firstLine(message ?? "")}`;
    return `${(type ?? "uncaught").toLowerCase()}${during}: ${what} ${where.join(" ")}`.trimEnd();
  });
}
