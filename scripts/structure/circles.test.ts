import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";
import { folderCircles } from "./circles.ts";
import type { Layers } from "./layers.ts";
import { readSources } from "./read-sources.ts";

const layers = JSON.parse(await readFile(join(repositoryRoot(), "layers.json"), "utf8")) as Layers;

test("no two folders of the repository import each other, on whatever way", async () => {
  // A unit test lies beside what it tests and may import from above.
  const sources = (await readSources({ tests: true })).filter(
    ({ file }) => !/\/src\/.*\.test\.ts$|^scripts\/.*\.test\.ts$/.test(file),
  );

  expect(sources.length).toBeGreaterThan(400);
  expect(folderCircles(layers, sources)).toEqual([]);
});

const NO_ROWS = { folders: {} };

function source(file: string, ...imports: string[]) {
  return { file, imports };
}

test("a circle between a folder and one inside of it is found", () => {
  const sources = [
    source("scripts/a/main.ts", "./inner/build.ts"),
    source("scripts/a/files.ts"),
    source("scripts/a/inner/build.ts", "../files.ts"),
  ];

  expect(folderCircles(NO_ROWS, sources)).toEqual([
    "scripts/a/main.ts imports ./inner/build.ts, scripts/a/inner/build.ts imports ../files.ts",
  ]);
});

test("a circle between folders inside of one row is found", () => {
  const rows = { folders: { "libs/x/src": [["a"]] } };
  const sources = [
    source("libs/x/src/a/b/one.ts", "../c/two.ts"),
    source("libs/x/src/a/c/two.ts"),
    source("libs/x/src/a/c/three.ts", "../b/one.ts"),
  ];

  expect(folderCircles(rows, sources)).toHaveLength(1);
});

test("a circle over three folders is found, once", () => {
  const sources = [
    source("test/a/one.ts", "../b/two.ts"),
    source("test/b/two.ts", "../c/three.ts"),
    source("test/c/three.ts", "../a/one.ts"),
  ];

  expect(folderCircles(NO_ROWS, sources)).toHaveLength(1);
});

test.each([
  ["imports that all go down", { folders: {} }, ["./inner/b.ts", "node:path", "@x/y"]],
  ["a file that stands in a row by its name", { folders: { "x/src": [["c.ts"]] } }, []],
])("%s are no circle", (_, rows, imports) => {
  const sources = [
    source("x/src/main.ts", "./inner/b.ts", ...imports),
    source("x/src/inner/b.ts", ...(imports.length > 0 ? [] : ["../c.ts"])),
    source("x/src/c.ts"),
  ];

  expect(folderCircles(rows, sources)).toEqual([]);
});
