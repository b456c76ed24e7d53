import { expect, test } from "vitest";
import { liveness } from "./liveness.ts";
import type { ProgressCheck } from "./liveness.ts";

const MINUTE = 60_000;
const check = (progress: readonly ProgressCheck[], suppressedBy?: string) =>
  liveness({
    stallTimeoutMs: 5 * MINUTE,
    suppressedBy: () => suppressedBy,
    progress: () => progress,
  })();

const quiet: ProgressCheck = { what: "events: nothing received", ms: 4 * MINUTE };
const still: ProgressCheck = { what: "Secret: nothing consumed", ms: 6 * MINUTE };

test.each([
  ["nothing is looked at", [], undefined],
  ["everything goes on", [quiet, { ...still, ms: 0 }], undefined],
  ["one is at the limit", [{ ...still, ms: 5 * MINUTE }], undefined],
  ["one stands still", [quiet, still], "Secret: nothing consumed for 360 s"],
  [
    "two stand still",
    [still, { what: "a resync is running", ms: 301_000 }],
    "Secret: nothing consumed for 360 s; a resync is running for 301 s",
  ],
] as const)("%s", async (_, progress, expected) => {
  expect(await check(progress)).toBe(expected);
});

test("what an outage explains needs no restart", async () => {
  expect(await check([still], "not connected")).toBeUndefined();
});

test("in an outage no sign is asked for: it may be what does not answer", async () => {
  const live = liveness({
    stallTimeoutMs: 0,
    suppressedBy: async () => "not connected",
    progress: () => {
      throw new Error("asked");
    },
  });
  expect(await live()).toBeUndefined();
});
