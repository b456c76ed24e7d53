import { expect, test } from "vitest";
import { MAX_COLUMNS, longComments } from "./prose.ts";
import { readDeployed, readTexts } from "./read-sources.ts";

test("no comment of the repository is wider than 100 columns", async () => {
  expect(longComments(await readTexts({ tests: true }))).toEqual([]);
});

test("no comment of what is deployed is wider than 100 columns", async () => {
  const texts = await readDeployed();

  expect(texts.length).toBeGreaterThan(20);
  expect(longComments(texts)).toEqual([]);
});

test.each([
  ["is found", words(101, "  # "), 1],
  ["may fit", words(100, "  # "), 0],
  ["may be laid out", words(120, "#   $ "), 0],
])("a line of a comment in YAML or a shell %s", (_, text, count) => {
  expect(longComments([{ file: "a.yaml", text: `a: ${words(120)}\n${text}\n` }])).toHaveLength(
    count,
  );
});

/** A line of words that is `columns` long. */
function words(columns: number, start = ""): string {
  return start + "word ".repeat(columns).slice(0, columns - start.length - 1) + "w";
}

function faults(text: string): string[] {
  return longComments([{ file: "a.ts", text }]);
}

test.each([
  ["a line", words(101, "// ")],
  ["a line behind code", words(101, "const a = 1; // ")],
  ["a block", `${words(101, "/** ")}\n */`],
  ["a line of a block", `/**\n${words(101, " * ")}\n */`],
  ["a line of a block without marks", `/*\n${words(101)}\n*/`],
  ["a line with a URL and words", `// see ${"https://x.example/".padEnd(100, "y")}`],
])("%s of a comment that is a column too wide is found", (_, text) => {
  expect(faults(text)).toHaveLength(1);
});

test("the fault names the line", () => {
  expect(faults(`x();\n\n${words(104, "// ")}`)).toEqual(["a.ts:3: a comment of 104 columns"]);
});

test.each([
  ["a line that fits", words(MAX_COLUMNS, "// ")],
  ["a URL", `/**\n * ${"https://x.example/".padEnd(100, "y")}\n */`],
  ["a directive", words(120, "// eslint-disable-next-line ")],
  ["a line that is laid out", words(120, "//     $ ")],
  ["a row of a table", words(120, "// | ")],
  ["code", `f("${words(120)}");`],
  ["a text that looks like a comment", `f("${words(120, "// ")}");`],
])("%s may stand", (_, text) => {
  expect(faults(text)).toEqual([]);
});
