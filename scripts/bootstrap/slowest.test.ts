import { expect, test } from "vitest";
import { SLOWEST, slowestTests } from "./slowest.mjs";

/** A report of one file whose tests took so long, in milliseconds. */
function reportOf(name: string, durations: readonly (number | null | undefined)[]) {
  return {
    numPassedTests: 0,
    numFailedTests: 0,
    numPendingTests: 0,
    testResults: [
      {
        status: "passed",
        name,
        message: "",
        assertionResults: durations.map((duration, i) => ({
          fullName: `test ${i}`,
          status: "passed",
          failureMessages: [],
          duration,
        })),
      },
    ],
  };
}

test("the slowest tests of all projects come first, with their seconds and their file", () => {
  const reports = [reportOf("/w/a.test.ts", [20, 1_540]), reportOf("/w/b/c.test.ts", [83_000])];
  expect(slowestTests(reports, "/w")).toEqual([
    "the slowest tests:",
    "  83.0 s  b/c.test.ts > test 0",
    "   1.5 s  a.test.ts > test 1",
    "   0.0 s  a.test.ts > test 0",
  ]);
});

test("no more than ten are named", () => {
  const durations = Array.from({ length: 12 }, (_, i) => (i + 1) * 1_000);
  const lines = slowestTests([reportOf("/w/a.test.ts", durations)], "/w");
  expect(lines).toHaveLength(1 + SLOWEST);
  expect(lines.at(-1)).toBe("   3.0 s  a.test.ts > test 2");
});

test("a test that did not run and a run without a report name nothing", () => {
  expect(slowestTests([reportOf("/w/a.test.ts", [undefined, null, 0])], "/w")).toEqual([]);
  expect(slowestTests([undefined], "/w")).toEqual([]);
});
