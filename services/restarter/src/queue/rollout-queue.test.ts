import { expect, test } from "vitest";
import { restOfWindow } from "./rollout-queue.ts";

test.each([
  ["a change of this moment waits the whole window", 10_000, 1_000],
  ["one that has waited waits the rest", 9_400, 400],
  ["one that has waited the window waits no more", 9_000, 0],
  ["nor one of long ago", 0, 0],
  ["one from a clock ahead of ours waits no more than a window", 99_000, 1_000],
  ["what nothing is known of is due now", undefined, 0],
])("%s", (_name, since, left) => {
  expect(restOfWindow(1_000, since, 10_000)).toBe(left);
});
