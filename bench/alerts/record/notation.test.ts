import { expect, test } from "vitest";
import { notationOf } from "./notation.ts";
import type { Cell } from "./notation.ts";

const CASES: readonly (readonly [cells: readonly Cell[], notation: string])[] = [
  [[], ""],
  [[undefined, undefined], ""],
  [[3], "3"],
  [[1, 1, 1], "1x2"],
  [[0, 30, 60, 90], "0+30x3"],
  [[9, 6, 3, 3], "9-3x2 3"],
  [[1, 5], "1 5"],
  [[-40, -40], "-40x1"],
  [[undefined, undefined, 1, "stale", undefined, 0, 0, undefined], "_x2 1 stale _ 0x1"],
];

test.for(CASES)("a series is written as promtool reads it: %o", ([cells, notation]) => {
  expect(notationOf(cells)).toBe(notation);
});
