import { isNode, nodesOf, programOf, textsOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";

/** The node that names a module, of a node that refers to one: `import`, `export`, `import()`. */
function moduleOf(node: AnyNode): unknown {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    // `import("x").Y`, as a type.
    case "TSImportType":
      return node.source;
    default:
      return undefined;
  }
}

/**
 * The specifiers of all imports and re-exports of a TypeScript source, those of types too, each
 * once; also that of an `import()` of a template without expressions. Throws where it is no
 * TypeScript.
 */
export function importsOf(file: string, text: string): string[] {
  const specifiers = [...nodesOf(programOf(file, text))]
    .map(moduleOf)
    .filter(isNode)
    .filter(({ expressions }) => !Array.isArray(expressions) || expressions.length === 0)
    .flatMap(textsOf);
  return [...new Set(specifiers)];
}
