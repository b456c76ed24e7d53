import fc from "fast-check";
import { expect, test } from "vitest";
import { cutBytes, cutText } from "./cut.ts";

const text = fc.string({ unit: "binary", maxLength: 40 });
const max = fc.integer({ min: 0, max: 60 });

test.each([
  { name: "code units", cut: cutText, size: (part: string) => part.length },
  { name: "bytes", cut: cutBytes, size: (part: string) => Buffer.byteLength(part) },
])("a text is cut to so many $name, never in a character", ({ cut, size }) => {
  fc.assert(
    fc.property(text, max, (whole, limit) => {
      const part = cut(whole, limit);
      expect(size(part)).toBeLessThanOrEqual(limit);
      expect(part.isWellFormed()).toBe(true);
      if (size(whole.toWellFormed()) <= limit) expect(part).toBe(whole.toWellFormed());
    }),
  );
});

test("as much is kept as fits", () => {
  expect(cutText("ab😀", 4)).toBe("ab😀");
  expect(cutText("ab😀", 3)).toBe("ab\uFFFD");
  expect(cutBytes("aé😀", 7)).toBe("aé😀");
  expect(cutBytes("aé😀", 6)).toBe("aé");
});
