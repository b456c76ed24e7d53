import { expect, test } from "vitest";
import { restOfWindow } from "./put-off.ts";

test.each([
  ["a change of this moment waits the whole window", 10_000, 1_000],
  ["a job that has waited waits for the rest", 9_400, 400],
  ["a job that has waited for the whole window runs now", 9_000, 0],
  ["an old job runs now", 0, 0],
  ["a job from a clock ahead of ours waits at most one window", 99_000, 1_000],
  ["a job of unknown age is due now", undefined, 0],
])("%s", (_name, since, left) => {
  expect(restOfWindow(1_000, since, 10_000)).toBe(left);
});
