import { expect, test } from "vitest";
import { closingLine, countTests, sumTallies } from "./tally.mjs";
import { troubles, uncaughtTroubles } from "./troubles.mjs";

const report = {
  numPassedTests: 7,
  numFailedTests: 0,
  numPendingTests: 0,
  testResults: [],
};
const why = ["AssertionError: expected 13 to be less than 12\n    at storm.test.ts:30:9"];
const broken = {
  status: "failed",
  name: "/w/a.test.ts",
  message: "Cannot find it\nat all",
  assertionResults: [],
};
const failing = {
  status: "failed",
  name: "/w/b.test.ts",
  message: "",
  assertionResults: [
    { fullName: "one", status: "failed", failureMessages: [...why, "Error: the second attempt"] },
    { fullName: "two", status: "passed", failureMessages: why },
    { fullName: "three", status: "passed", failureMessages: [] },
    { fullName: "four", status: "skipped", failureMessages: [] },
  ],
};

test.each([
  ["all pass", report, 0, "7 passed, 0 failed"],
  [
    "one fails, and one would have if it had not been run again",
    { ...report, numFailedTests: 1, testResults: [failing] },
    1,
    "6 passed, 2 failed",
  ],
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
  const tally = { passed: 1, failed: 2, skipped: 3 };
  expect(sumTallies([tally, tally])).toEqual({ passed: 2, failed: 4, skipped: 6 });
  expect(sumTallies([])).toEqual({ passed: 0, failed: 0, skipped: 0 });
});

test("what did not pass at once has failed, and is named, with its file and the first line of why", () => {
  const expected = "AssertionError: expected 13 to be less than 12";
  expect(troubles({ ...report, testResults: [broken, failing] }, "/w")).toEqual([
    "failed: a.test.ts: Cannot find it",
    `failed: b.test.ts > one: ${expected}`,
    `failed: b.test.ts > two: ${expected}`,
  ]);
  expect(troubles(undefined, "/w")).toEqual([]);
});

test("an uncaught error is named, with the test that ran then and its origin", () => {
  const frames = ["a (/w/src/a.ts:1:2)", "b (/w/src/b.ts:3:4)", "c", "d", "e"];
  const error = {
    type: "Unhandled Rejection",
    name: "ClosedConnectionError",
    message: "closed connection\nand more",
    stack: `ClosedConnectionError: closed connection\n${frames.map((frame) => `    at ${frame}`).join("\n")}`,
    VITEST_TEST_PATH: "/w/test/a.test.ts",
    VITEST_TEST_NAME: "it goes on",
  };
  expect(uncaughtTroubles([error, { message: "bare" }], "/w")).toEqual([
    "unhandled rejection during test/a.test.ts > it goes on: ClosedConnectionError: closed connection at a (src/a.ts:1:2) at b (src/b.ts:3:4) at c at d",
    "uncaught: Error: bare",
  ]);
  expect(uncaughtTroubles(undefined, "/w")).toEqual([]);
});
