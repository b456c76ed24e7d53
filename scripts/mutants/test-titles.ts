import { isNode, listOf, nameOf, nodesOf, programOf, textsOf } from "../structure/ast.ts";
import type { AnyNode } from "../structure/ast.ts";

const TEST_FUNCTIONS = new Set(["test", "it", "outcomeTest"]);

/** What stands in a title of a table for the values of a row. */
const PLACES = /\$[a-z][\w.]*|%[sdifjoO]/gi;

/** The function at the beginning of `test`, `test.concurrent.each(rows)` and the like. */
function calledName(callee: unknown): string | undefined {
  if (!isNode(callee)) return undefined;
  if (callee.type === "CallExpression") return calledName(callee.callee);
  if (callee.type === "TaggedTemplateExpression") return calledName(callee.tag);
  if (callee.type === "MemberExpression") return calledName(callee.object);
  return nameOf(callee);
}

/** The titles of the tests in a source as they stand there, with the places of tables. */
export function titlesIn(file: string, source: string): string[] {
  return [...nodesOf(programOf(file, source))]
    .filter(({ type, callee }) => {
      const name = type === "CallExpression" ? calledName(callee) : undefined;
      return name !== undefined && TEST_FUNCTIONS.has(name);
    })
    .flatMap((call: AnyNode) => listOf(call, "arguments").slice(0, 1))
    .flatMap(textsOf);
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** What a row puts into the places of a title; undefined where it is not that title. */
export function valuesIn(title: string, template: string): string[] | undefined {
  const pattern = template.split(PLACES).map(escape).join("(.+)");
  return new RegExp(`^${pattern}$`, "s").exec(title)?.slice(1);
}
