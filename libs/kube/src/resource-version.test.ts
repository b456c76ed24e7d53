import { expect, test } from "vitest";
import fc from "fast-check";
import { compareVersions, newerVersion } from "./resource-version.ts";

test("versions are ordered as integers of any size", () => {
  const integer = fc.bigInt({ min: 0n, max: 2n ** 200n });
  fc.assert(
    fc.property(integer, integer, (a, b) => {
      const want = a < b ? -1 : a > b ? 1 : 0;
      expect(Math.sign(compareVersions(String(a), String(b)))).toBe(want);
    }),
  );
});

test.each(["", "abc", "-1", "1.5", "0x10"])("%j is older than every version", (text) => {
  expect(compareVersions(text, "1")).toBeLessThan(0);
});

test("leading zeros do not count", () => {
  expect(compareVersions("007", "7")).toBe(0);
});

test("the newer version is kept, and any is newer than none", () => {
  expect(newerVersion(undefined, "5")).toBe("5");
  expect(newerVersion("10", "9")).toBe("10");
  expect(newerVersion("9", "10")).toBe("10");
});
