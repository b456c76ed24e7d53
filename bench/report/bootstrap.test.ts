import { expect, test } from "vitest";
import { ratioOf } from "./compare.ts";
import { median, percentile } from "./stats.ts";

test("a ratio is the median over pairs, whatever the load of each pair", () => {
  const pairs = [1, 2, 5, 10, 100].map((load) => [load, load * 1.5] as const);
  expect(ratioOf(pairs)).toEqual({ ratio: 1.5, low: 1.5, high: 1.5 });
});

test("the interval holds the ratio, and is wider where pairs differ more", () => {
  const spread = (by: number) =>
    ratioOf(Array.from({ length: 9 }, (_, i) => [1, 1 + (by * (i - 4)) / 4] as const));
  const [near, far] = [spread(0.1), spread(0.5)];
  for (const { low, ratio, high } of [near, far]) {
    expect(ratio).toBe(1);
    expect(low).toBeLessThan(1);
    expect(high).toBeGreaterThan(1);
  }
  expect(far.high - far.low).toBeGreaterThan(near.high - near.low);
});

test("the interval covers the true ratio in about 95 of 100 series of pairs", () => {
  let seed = 7;
  const next = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const covered = Array.from({ length: 200 }, () => {
    // Symmetric around 2 in its median.
    const pairs = Array.from({ length: 12 }, () => [1, 2 * Math.exp(next() - 0.5)] as const);
    const { low, high } = ratioOf(pairs);
    return low <= 2 && 2 <= high;
  }).filter(Boolean).length;
  expect(covered / 200).toBeGreaterThan(0.9);
  expect(covered / 200).toBeLessThan(1);
}, 60_000);

test("one pair has no interval, and none has no ratio", () => {
  expect(ratioOf([[2, 3]])).toEqual({ ratio: 1.5, low: 0, high: Number.POSITIVE_INFINITY });
  expect(ratioOf([]).ratio).toBeNaN();
});

test.each([
  [[], Number.NaN, Number.NaN],
  [[3], 3, 3],
  [[4, 1], 2.5, 4],
  [[9, 1, 5], 5, 9],
])("of %j the median is %d and the 99th percentile %d", (numbers, middle, last) => {
  expect([median(numbers), percentile(numbers, 0.99)]).toEqual([middle, last]);
});
