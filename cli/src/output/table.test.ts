import fc from "fast-check";
import { expect, test } from "vitest";
import { clean, tableLines, wrap } from "./table.ts";

const plain = (width: number) => ({ width, paint: (text: string) => text });
const text = fc.string({ unit: "grapheme-ascii", maxLength: 60 });

test("columns stand under their heads, and the last is wrapped under itself", () => {
  const lines = tableLines(["NAME", "WHY"], [["web", "one two three four five"]], plain(24));
  expect(lines).toEqual(["NAME  WHY", "web   one two three four", "      five"]);
});

test("no line is wider than the terminal, whatever the cells hold", () => {
  const rows = fc.array(fc.tuple(text, text, text), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(rows, fc.integer({ min: 40, max: 100 }), (cells, width) => {
      for (const line of tableLines(["A", "B", "C"], cells, plain(width))) {
        expect(line.length).toBeLessThanOrEqual(width);
      }
    }),
  );
});

test("wrapping loses nothing but blanks", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 5, max: 40 }), (line, width) => {
      expect(wrap(line, width).join("").replaceAll(" ", "")).toBe(line.replaceAll(" ", ""));
    }),
  );
});

test("a pipe gets whole lines, and no text controls the terminal", () => {
  const long = "x ".repeat(200).trim();
  expect(tableLines(["A"], [[long]], plain(Number.POSITIVE_INFINITY))).toEqual(["A", long]);
  expect(clean("a\u001b[31mb\nc\u009b")).toBe("a [31mb c ");
});
