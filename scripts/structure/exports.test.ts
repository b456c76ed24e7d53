import { expect, test } from "vitest";
import { readExports, readSources, unusedExports } from "./read-sources.ts";

test("every export of a package is imported from outside of it", async () => {
  expect(unusedExports(await readExports(), await readSources({ tests: true }))).toEqual([]);
});

const LOW = { name: "@x/low", dir: "libs/low", exports: ["./used", "./unused"] };

test("an export that nobody imports is found", () => {
  const sources = [{ file: "services/a/src/main.ts", imports: ["@x/low/used"] }];

  expect(unusedExports([LOW], sources)).toEqual(["@x/low/unused"]);
});

test.each([
  ["a source", "libs/low/src/main.ts", ["@x/low/unused"]],
  ["a unit test", "libs/low/src/main.test.ts", []],
  ["an integration test", "libs/low/test/setup.ts", []],
])("%s of the package itself counts as outside only if it is a test", (_, file, unused) => {
  const imports = ["@x/low/used", "@x/low/unused"];
  const sources = [
    { file: "services/a/src/main.ts", imports: ["@x/low/used"] },
    { file, imports },
  ];

  expect(unusedExports([LOW], sources)).toEqual(unused);
});
