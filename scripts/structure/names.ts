import { isNode, nameOf, listOf, nodesOf, programOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";
import { calledNames } from "./called-names.ts";
import { exportedNames } from "./exported-names.ts";

/** A name of a source that others read, and where it stands. */
export type Named = {
  readonly place: "name" | "file" | "log" | "field" | "metric" | "variable";
  readonly text: string;
  readonly file: string;
};

/** Tools may have the fields of what they read and write, e.g. JSON Schema's `oneOf`. */
function isTool(file: string): boolean {
  return /^(?:scripts|bench)\//.test(file);
}

/**
 * The keys of a source's object literals and types, however they become a schema, an event or a
 * record. A quoted key is a value: `"all-in-one"`.
 */
function fieldsOf(program: AnyNode): string[] {
  return [...nodesOf(program)]
    .flatMap((node) => {
      if (/^TS(?:Property|Method)Signature$/.test(node.type)) return [node];
      return node.type === "ObjectExpression" ? listOf(node, "properties") : [];
    })
    .filter(({ computed }) => computed !== true)
    .map(({ key }) => key)
    .filter((key) => isNode(key) && key.type === "Identifier")
    .flatMap((key) => nameOf(key) ?? []);
}

/** The names in a source, each place for itself. Throws where it is no TypeScript. */
export function namesOf(file: string, source: string): Named[] {
  const program = programOf(file, source);
  const called = [...nodesOf(program)].flatMap(calledNames);
  const exported = exportedNames(program).map((text) => ({ place: "name" as const, text }));
  const fields = (isTool(file) ? [] : fieldsOf(program)).map((text) => ({
    place: "field" as const,
    text,
  }));
  return [{ place: "file" as const, text: file }, ...exported, ...called, ...fields].map(
    (named) => ({ ...named, file }),
  );
}
