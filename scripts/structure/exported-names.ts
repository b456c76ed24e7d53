import { isNode, listOf, nameOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";

/** The names that a pattern of a declaration binds: of `{ a, b: [c] }`, a and c. */
export function boundBy(pattern: unknown): string[] {
  if (!isNode(pattern)) return [];
  if (pattern.type === "Identifier") return [nameOf(pattern) ?? ""];
  const inner = [
    ...listOf(pattern, "properties").map(({ value, argument }) => value ?? argument),
    ...listOf(pattern, "elements"),
    ...[pattern.left, pattern.argument].filter(isNode),
  ];
  return inner.flatMap(boundBy);
}

function declaredBy(declaration: AnyNode): string[] {
  if (declaration.type !== "VariableDeclaration") return boundBy(declaration.id);
  return listOf(declaration, "declarations").flatMap(({ id }) => boundBy(id));
}

function importedBy(program: AnyNode): Set<string> {
  const specifiers = listOf(program, "body")
    .filter(({ type }) => type === "ImportDeclaration")
    .flatMap((statement) => listOf(statement, "specifiers"));
  return new Set(specifiers.map(({ local }) => nameOf(local) ?? ""));
}

/**
 * The names that a source gives to what it exports. What another file exports under the same name
 * is that file's name.
 */
export function exportedNames(program: AnyNode): string[] {
  const imported = importedBy(program);
  return listOf(program, "body").flatMap((statement) => {
    if (!statement.type.startsWith("Export")) return [];
    if (isNode(statement.declaration)) return declaredBy(statement.declaration);
    if (isNode(statement.exported)) return [nameOf(statement.exported) ?? ""];
    return listOf(statement, "specifiers").flatMap(({ local, exported }) => {
      const [from, to] = [nameOf(local) ?? "", nameOf(exported) ?? ""];
      const elsewhere = isNode(statement.source) || imported.has(from);
      return elsewhere && from === to ? [] : [to];
    });
  });
}
