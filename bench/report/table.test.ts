import { expect, test } from "vitest";
import { compareRounds } from "./compare.ts";
import { tableOf } from "./table.ts";

const ms = (value: number) => [{ name: "change", unit: "ms", value }];

test("rounds of two commits make a ratio with its interval", () => {
  const rounds = [
    { base: ms(10), measured: ms(12) },
    { base: ms(20), measured: ms(24) },
  ];
  const [row] = compareRounds(rounds);
  expect(row).toMatchObject({ values: [12, 24], median: 18, base: { median: 15, ratio: 1.2 } });
  expect(tableOf(compareRounds(rounds))).toBe(
    [
      "             base   now  ratio          95 %",
      "change (ms)  15.0  18.0   1.20  1.20 to 1.20",
    ].join("\n"),
  );
});

test("rounds of one commit make a median with its spread", () => {
  const rows = compareRounds([{ measured: ms(1) }, { measured: ms(3) }, { measured: ms(200) }]);
  expect(tableOf(rows)).toBe(
    ["             median   min  max", "change (ms)    3.00  1.00  200"].join("\n"),
  );
});

test("what only the newer commit measures has no ratio", () => {
  const more = [...ms(2), { name: "share", unit: "", value: 0.5 }];
  const text = tableOf(compareRounds([{ base: ms(1), measured: more }]));
  expect(text.split("\n").at(-1)?.split(/ {2,}/)).toEqual(["share", "-", "0.50", "-", "-"]);
});

test("a round that lacks a measurement is an error", () => {
  expect(() => compareRounds([{ measured: ms(1) }, { measured: [] }])).toThrow(
    'round 2 did not measure "change"',
  );
});
