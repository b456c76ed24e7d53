import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";
import { readTexts } from "./read-sources.ts";
import { variablesOf } from "./variables.ts";
import { wordFaults } from "./words.ts";
import type { Words } from "./words.ts";

const words = JSON.parse(
  await readFile(join(repositoryRoot(), "docs", "words.json"), "utf8"),
) as Words;

test("no variable or parameter, also of a test, is a word that docs/words.json rules out", async () => {
  const variables = (await readTexts({ tests: true })).flatMap(({ file, text }) =>
    variablesOf(file, text),
  );

  expect(variables.length).toBeGreaterThan(5_000);
  expect(wordFaults(words, variables)).toEqual([]);
});

test.each([
  ["a variable", "const found = 1;"],
  ["a variable of a function", "function a() { let seen = 0; }"],
  ["a variable of a loop", "for (const one of list) a(one);"],
  ["a variable that is unpacked", "const { a: known, ...b } = c;"],
  ["a variable that is unpacked from a list", "const [a, [said = 1]] = c;"],
  ["the rest of what is unpacked", "const { a, ...told } = c;"],
  ["a parameter", "list.map((one) => a(one));"],
  ["a parameter with a default", "function a(seen = 0) {}"],
  ["a parameter that is unpacked", "function a({ b: { asked } }: C) {}"],
  ["a parameter of the rest", "function a(...told: string[]) {}"],
  ["a parameter of a method", "const a = { b(known) {} };"],
  ["a parameter that is a field", "class A { constructor(private readonly known: B) {} }"],
  ["a parameter of a type", "type A = (one: B) => boolean;"],
  ["what is caught", "try { a(); } catch (found) { b(found); }"],
])("%s that is ruled out is found", (_, text) => {
  expect(wordFaults(words, variablesOf("libs/x/src/a.ts", text))).toHaveLength(1);
});

test.each([
  ["a variable with more words", "const knownKinds = 1; const isKnown = 2;"],
  ["a key", "const a = { known: 1 }; a.known = 2;"],
  ["a key that is unpacked under another name", "const { known: existing } = a;"],
  ["a field of a type", "type A = { known: boolean };"],
])("%s may have the word", (_, text) => {
  expect(wordFaults(words, variablesOf("libs/x/src/a.ts", text))).toEqual([]);
});
