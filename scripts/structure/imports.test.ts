import { expect, test } from "vitest";
import { importsOf } from "./read-sources.ts";

test.each([
  ["an import", 'import { a } from "x";'],
  ["an import for its effects", 'import "x";'],
  ["an import of types", 'import type { A } from "x";'],
  ["a re-export", 'export { a } from "x";'],
  ["a re-export of all", 'export * from "x";'],
  ["a dynamic import", 'const a = await import("x");'],
  ["a dynamic import by a template", "const a = await import(`x`);"],
  ["a dynamic import of a chosen module", 'const a = await import(b ? "x" : "x");'],
  ["the type of a module", 'type A = import("x").A;'],
  ["the type of a module's value", 'function f(a: typeof import("x").a) {}'],
])("%s is seen", (_, text) => {
  expect(importsOf("libs/x/src/a.ts", text)).toEqual(["x"]);
});

test.each([
  ["a template with expressions", "const a = await import(`x/${b}`);"],
  ["a list of exports", "const a = 1; export { a };"],
  ["a string", "const a = 'import(\"x\")';"],
])("%s names no module", (_, text) => {
  expect(importsOf("libs/x/src/a.ts", text)).toEqual([]);
});

test("what is no TypeScript is refused", () => {
  expect(() => importsOf("libs/x/src/a.ts", "import {")).toThrow("libs/x/src/a.ts");
});
