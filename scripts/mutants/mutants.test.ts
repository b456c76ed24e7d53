import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { describe, expect, test } from "vitest";
import { importsOf } from "../structure/read-sources.ts";
import { MUTANTS } from "./list/mutants.ts";
import { mutate, projectOf } from "./list/mutant.ts";
import type { Mutant, NamedTest } from "./list/mutant.ts";
import { titlesIn, valuesIn } from "./test-titles.ts";

function read(file: string): Promise<string> {
  return readFile(join(repositoryRoot(), file), "utf8");
}

/** Where rows of a test's tables are: it, what lies beside it and it imports, and files' names. */
async function readRows(file: string, text: string): Promise<string> {
  const dir = dirname(file);
  const own = importsOf(file, text).filter((specifier) => specifier.startsWith("./"));
  const texts = await Promise.all(own.map((specifier) => read(join(dir, specifier))));
  const names = await readdir(join(repositoryRoot(), dir), { recursive: true });
  // A title has numbers without the `_` of their thousands.
  return [text, ...texts, ...names].join("\n").replaceAll(/(?<=\d)_(?=\d)/g, "");
}

/** Longer values of `$name` are cut by vitest, so that no test has the whole title. */
const MAX_VALUE = 40;

/** What is wrong with the name of a test; undefined where there is such a test. */
async function faultOf({ file, title }: NamedTest): Promise<string | undefined> {
  const text = await read(file);
  const matching = titlesIn(file, text).flatMap((template) => {
    const values = valuesIn(title, template);
    return values === undefined ? [] : [{ template, values }];
  });
  if (matching.length === 0) return `${file} has no test "${title}"`;
  const rows = await readRows(file, text);
  const isRow = matching.some(({ template, values }) => {
    const max = template.includes("$") ? MAX_VALUE : Number.POSITIVE_INFINITY;
    return values.every((value) => rows.includes(value) && value.length <= max);
  });
  return isRow ? undefined : `no row of a table in ${file} makes the test "${title}"`;
}

test.each(MUTANTS)("the mutant $name has its place, and its test", async (mutant) => {
  const text = await read(mutant.file);

  expect(mutate(text, mutant)).not.toBe(text);
  expect(await faultOf(mutant.killedBy)).toBeUndefined();
});

test("each mutant has a name of its own, as it is given to --only", () => {
  const names = MUTANTS.map(({ name }) => name);

  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z][a-z0-9-]+$/.test(name))).toEqual([]);
});

describe("a stale list is found", () => {
  const [mutant] = MUTANTS as readonly [Mutant];

  test.each([
    ["the text is gone", "", "no longer"],
    ["the text is there twice", `${mutant.find}\n${mutant.find}`, "2 times"],
  ])("where %s", (_, text, says) => {
    expect(() => mutate(text, mutant)).toThrow(says);
  });

  // Put together, so that this file does not have it.
  const nowhere = ["nobody", "looks"].join(" ");
  test.each([
    ["the test is gone", `a stale list is found where ${nowhere}`, "has no test"],
    ["the row of a table is gone", `where ${nowhere}`, "no row of a table"],
  ])("where %s", async (_, title, says) => {
    expect(await faultOf({ file: "scripts/mutants/mutants.test.ts", title })).toContain(says);
  });
});

test.each([
  ["test('a', f)", ["a"]],
  ["test.each(rows)('a $name', f)", ["a $name"]],
  ["test.concurrent.for(rows)('$name: a', f)", ["$name: a"]],
  ["describe('b', () => { it('a', f); })", ["a"]],
  ["other('a', f)", []],
])("the titles in %s", (source, titles) => {
  expect(titlesIn("a.test.ts", source)).toEqual(titles);
});

test.each([
  { title: "one is red", template: "$name is %s", want: ["one", "red"] },
  { title: "one was red", template: "$name is %s", want: undefined },
  { title: "a (b) costs $5.", template: "a (b) costs $5.", want: [] },
])('"$title" is "$template" with $want', ({ title, template, want }) => {
  expect(valuesIn(title, template)).toEqual(want);
});

test.each([
  ["services/restarter/src/decision/decide.test.ts", "unit"],
  ["services/restarter/test/model/findings/findings.test.ts", "unit"],
  ["services/restarter/test/gaps.test.ts", "integration"],
  ["libs/nats/test/kv.test.ts", "integration"],
  ["test/two-installations.test.ts", "integration"],
])("the tests of %s are %s tests", (file, project) => {
  expect(projectOf({ file, title: "" })).toBe(project);
});
