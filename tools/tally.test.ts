import { expect, test } from "vitest";
import { closingLine, countTests, sum } from "./tally.mjs";

const report = {
  numPassedTests: 7,
  numFailedTests: 0,
  numPendingTests: 0,
  testResults: [{ status: "passed", assertionResults: [{}] }],
};
const broken = { status: "failed", assertionResults: [] };
const failing = { status: "failed", assertionResults: [{}] };

test.each([
  ["all pass", report, 0, "7 passed, 0 failed"],
  ["one fails", { ...report, numFailedTests: 1, testResults: [failing] }, 1, "7 passed, 1 failed"],
  [
    "some are skipped",
    { ...report, numPendingTests: 2, numTodoTests: 1 },
    0,
    "7 passed, 0 failed, 3 skipped",
  ],
  ["a file cannot be loaded", { ...report, testResults: [broken] }, 1, "7 passed, 1 failed"],
  ["an error that nobody caught", report, 1, "7 passed, 1 failed"],
  ["no report at all", undefined, 1, "0 passed, 1 failed"],
  ["no report at all, and no complaint", undefined, 0, "0 passed, 1 failed"],
])("%s", (_, given, code, line) => {
  expect(closingLine(countTests(given, code))).toBe(line);
});

test("tallies add up", () => {
  const one = { passed: 1, failed: 2, skipped: 3 };
  expect(sum([one, one])).toEqual({ passed: 2, failed: 4, skipped: 6 });
  expect(sum([])).toEqual({ passed: 0, failed: 0, skipped: 0 });
});
