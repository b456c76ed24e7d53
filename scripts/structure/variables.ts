import { isNode, listOf, nodesOf, programOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";
import { boundBy } from "./exported-names.ts";
import type { Named } from "./names.ts";

/** What a node declares: a variable, the parameters of a function or type, what it catches. */
function patternsOf(node: AnyNode): AnyNode[] {
  if (node.type === "VariableDeclarator") return [node.id].filter(isNode);
  if (node.type === "CatchClause") return [node.param].filter(isNode);
  // A parameter that is a field as well wraps the pattern.
  return listOf(node, "params").map((param) => (isNode(param.parameter) ? param.parameter : param));
}

/**
 * The variables and parameters that a source declares, those too that a pattern binds. Throws where
 * it is no TypeScript.
 */
export function variablesOf(file: string, source: string): Named[] {
  return [...nodesOf(programOf(file, source))]
    .flatMap(patternsOf)
    .flatMap(boundBy)
    .map((text) => ({ place: "variable", text, file }));
}
