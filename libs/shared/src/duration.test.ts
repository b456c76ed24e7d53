import fc from "fast-check";
import { expect, test } from "vitest";
import { duration, formatDuration, parseDuration } from "./duration.ts";

test.each([
  ["0", 0],
  ["0s", 0],
  ["1ms", 1],
  ["500ms", 500],
  ["1s", 1_000],
  ["1.5s", 1_500],
  ["0.1h", 360_000],
  ["1m", 60_000],
  ["1h30m", 5_400_000],
  ["1h2m3s4ms", 3_723_004],
  ["1s1s", 2_000],
  ["1.5ms", 2],
])("%s is %d milliseconds", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  "",
  " 1s",
  "1s ",
  "1 s",
  "1",
  "-1s",
  "+1s",
  "1d",
  "1us",
  "s",
  ".5s",
  "1.s",
  "1e3s",
  "1S",
  "1s\n",
  "Infinityh",
  "NaNs",
  "٣s",
  `${"1".repeat(64)}s`,
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

const units = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

test("any sum of whole units is read exactly", () => {
  const part = fc.record({
    amount: fc.nat(9_999),
    unit: fc.constantFrom("h", "m", "s", "ms"),
  });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const text = parts.map(({ amount, unit }) => `${amount}${unit}`).join("");
      const ms = parts.reduce((sum, { amount, unit }) => sum + amount * units[unit], 0);
      expect(parseDuration(text)).toBe(ms);
    }),
  );
});

test.each([
  [0, "0ms"],
  [0.4, "0ms"],
  [350, "350ms"],
  [999.4, "999ms"],
  [999.6, "1s"],
  [2_149, "2.1s"],
  [59_949, "59.9s"],
  [59_950, "1m"],
  [60_000, "1m"],
  [90_000, "1m30s"],
  [3_599_999, "59m59s"],
  [3_600_000, "1h"],
  [7_500_000, "2h5m"],
  [360_000_000, "100h"],
])("%d milliseconds are written %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("what is written can be read again, and is off by less than the unit that was left out", () => {
  fc.assert(
    fc.property(fc.nat(400 * 3_600_000), (ms) => {
      const read = parseDuration(formatDuration(ms));
      const resolution = ms < 1_000 ? 0 : ms < 60_000 ? 50 : ms < 3_600_000 ? 999 : 59_999;
      expect(Math.abs((read ?? Number.NaN) - ms)).toBeLessThanOrEqual(resolution);
      expect(formatDuration(ms)).toMatch(/^[\d.]+(ms|s|m|h)(\d+[sm])?$/);
    }),
  );
});

test("a configured duration is told what it must be like", () => {
  const schema = duration({ min: "1s", max: "1h" });
  const fault = (value: unknown) => schema.safeParse(value).error?.issues[0]?.message;

  expect(schema.parse("90s")).toBe(90_000);
  expect(schema.parse("1s")).toBe(1_000);
  expect(schema.parse("1h")).toBe(3_600_000);
  expect(fault("999ms")).toBe('"999ms" is out of bounds: 1s to 1h');
  expect(fault("61m")).toBe('"61m" is out of bounds: 1s to 1h');
  expect(fault("soon")).toBe('"soon" is not a duration: write it like 500ms, 1s, 5m or 1h30m');
  expect(fault(5)).toBe("must be a duration like 500ms, 1s, 5m or 1h30m");
  expect(fault(undefined)).toBe("must be a duration like 500ms, 1s, 5m or 1h30m");
});

test("without limits everything up to the largest exact number is taken", () => {
  expect(duration().parse("0")).toBe(0);
  expect(duration().safeParse("9999999999999999h").success).toBe(false);
});
