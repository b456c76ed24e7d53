// Names what failed, and the errors that nobody caught.
import { relative } from "node:path";
import { hasFailed } from "./tally.mjs";

/** @typedef {import("./tally.mjs").Report} Report */

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
