import { expect, test } from "vitest";
import { errorNameFaults } from "./error-names.ts";
import { readTexts } from "./read-sources.ts";

test("every class of errors has a name that ends in Error", async () => {
  expect(errorNameFaults(await readTexts({ tests: true }))).toEqual([]);
});

test.each([
  ["a good class", 'class GoneError extends Error { override name = "GoneError"; }', []],
  ["no error", "class Queue extends Emitter {}", []],
  ["another ending", "class Later extends Error {}", ["Later is an error"]],
  ["of an error of ours", "export class Later extends GoneError {}", ["Later is an error"]],
  [
    "an expression",
    "const later = class extends Error {};",
    ["a class without a name is an error"],
  ],
  ["another name", 'class GoneError extends Error { name = "Gone"; }', ["GoneError calls itself"]],
])("%s", (_, text, faults) => {
  const actual = errorNameFaults([{ file: "a.ts", text }]);

  expect(actual).toEqual(faults.map((fault) => expect.stringContaining(`a.ts: ${fault}`)));
});
