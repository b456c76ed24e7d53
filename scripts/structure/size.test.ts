import { expect, test } from "vitest";
import { MAX_LINES, oversized } from "./size.ts";
import { readTexts } from "./read-sources.ts";

test("no source of the repository is too long", async () => {
  expect(oversized(await readTexts())).toEqual([]);
});

test("a source of one line too many is found", () => {
  const texts = [
    { file: "fits.ts", text: "x;\n".repeat(MAX_LINES) },
    { file: "long.ts", text: "x;\n".repeat(MAX_LINES + 1) },
  ];

  expect(oversized(texts)).toEqual(["long.ts: 301 lines, at most 300 are allowed"]);
});
