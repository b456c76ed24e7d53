import { expect, test } from "vitest";
import { LiveLimits, effective, lasting } from "../model/control-entry.ts";
import type { Settings } from "../model/control-entry.ts";

const NOW = 1_000_000;
const file = { concurrency: 20, maxRolling: 5, rateLimit: { max: 5, per: 1_000 } };
const from = { by: "anna", at: NOW - 10 };

test.each<[string, Settings, object]>([
  ["nothing set", {}, file],
  ["over the file", { concurrency: { value: 2, ...from } }, { ...file, concurrency: 2 }],
  [
    "no limit",
    { maxRolling: { value: null, ...from }, rateLimit: { value: null, ...from } },
    { concurrency: 20 },
  ],
  [
    "a limit that the file has not",
    { maxRollingPerNamespace: { value: 1, ...from } },
    { ...file, maxRollingPerNamespace: 1 },
  ],
  [
    "not over yet",
    { concurrency: { value: 2, ...from, until: NOW + 1 } },
    { ...file, concurrency: 2 },
  ],
  ["over", { concurrency: { value: 2, ...from, until: NOW } }, file],
  ["paused", { paused: { value: true, ...from } }, { ...file, paused: {} }],
  [
    "paused for a time",
    { paused: { value: true, ...from, until: NOW + 5 } },
    { ...file, paused: { until: NOW + 5 } },
  ],
  ["no longer paused", { paused: { value: true, ...from, until: NOW } }, file],
])("%s", (_, settings, want) => {
  expect(effective(file, { ...settings }, NOW)).toEqual(want);
});

test("expired settings are removed, and nothing else", () => {
  const kept = { value: 1, ...from };
  const over = { value: 2, ...from, until: NOW };
  expect(lasting({ concurrency: over, maxRolling: kept }, NOW)).toEqual({ maxRolling: kept });
  expect(lasting(undefined, NOW)).toEqual({});
});

test.each([
  [{ concurrency: 0 }, false],
  [{ concurrency: 1.5 }, false],
  [{ concurrency: null }, false],
  [{ maxRolling: null }, true],
  [{ maxRolling: 0 }, false],
  [{ rateLimit: { max: 5, per: 1_000 } }, true],
  [{ rateLimit: { max: 5, per: 1 } }, false],
  [{ rateLimit: { max: 5 } }, false],
  [{ window: 5 }, false],
])("%j can be set: %s", (limits, isValid) => {
  expect(LiveLimits.safeParse(limits).success).toBe(isValid);
});
