import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffDelay } from "./backoff.ts";

const least = () => 0;
const most = () => 1 - Number.EPSILON;

test.each([
  { attempt: 1, low: 50, high: 100 },
  { attempt: 2, low: 100, high: 200 },
  { attempt: 5, low: 800, high: 1_600 },
  { attempt: 8, low: 5_000, high: 10_000 },
  { attempt: 1_000_000, low: 5_000, high: 10_000 },
  { attempt: 0, low: 50, high: 100 },
  { attempt: -3, low: 50, high: 100 },
])("attempt $attempt waits $low to $high", ({ attempt, low, high }) => {
  const backoff = { initial: 100, max: 10_000 };

  expect(backoffDelay(backoff, attempt, least)).toBe(low);
  expect(backoffDelay(backoff, attempt, most)).toBe(high);
});

test("the delay is a whole number from half to all of what was computed, and never more than the maximum", () => {
  const backoff = fc.record({
    initial: fc.integer({ min: 2, max: 60_000 }),
    max: fc.integer({ min: 2, max: 86_400_000 }),
    factor: fc.integer({ min: 1, max: 10 }),
  });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(backoff, fc.integer({ min: 1, max: 500 }), random, (shape, attempt, number) => {
      const delay = backoffDelay(shape, attempt, () => number);
      const full = Math.min(shape.initial * shape.factor ** Math.min(attempt - 1, 60), shape.max);

      expect(Number.isSafeInteger(delay)).toBe(true);
      expect(delay).toBeGreaterThanOrEqual(Math.floor(full / 2));
      expect(delay).toBeLessThanOrEqual(shape.max);
      expect(delay).toBeLessThanOrEqual(Math.ceil(full));
    }),
  );
});

test("a later attempt never waits less at the same luck", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), (attempt) => {
      const backoff = { initial: 250, max: 60_000 };
      expect(backoffDelay(backoff, attempt + 1, least)).toBeGreaterThanOrEqual(
        backoffDelay(backoff, attempt, least),
      );
    }),
  );
});

test("by default replicas do not agree on the delay", () => {
  const delays = Array.from({ length: 50 }, () =>
    backoffDelay({ initial: 60_000, max: 60_000 }, 1),
  );

  expect(new Set(delays).size).toBeGreaterThan(10);
});
