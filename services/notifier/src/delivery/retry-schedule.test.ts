import { expect, test } from "vitest";
import { RETRY_DELAYS, retryDelay } from "./deliver.ts";

test("the retry schedule is the documented one with 10 % jitter, and ends", () => {
  const seconds = [5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800];
  expect(RETRY_DELAYS).toEqual(seconds.map((s) => s * 1_000));
  for (const [i, delay] of RETRY_DELAYS.entries()) {
    expect(retryDelay(i + 1, () => 0)).toBe(Math.round(delay * 0.9));
    expect(retryDelay(i + 1, () => 0.5)).toBe(delay);
    expect(retryDelay(i + 1, () => 1)).toBe(Math.round(delay * 1.1));
  }
  expect(retryDelay(11)).toBeUndefined();
});
