import { isNode, listOf, nameOf, nodesOf, programOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";
import type { SourceText } from "./read-sources.ts";

/** The names of what a statement declares, those of functions apart: they exist from the start. */
function declaredBy(statement: AnyNode): string[] {
  const { declaration } = statement;
  if (isNode(declaration)) return declaredBy(declaration);
  if (statement.type === "ClassDeclaration") return [nameOf(statement.id) ?? ""];
  if (statement.type !== "VariableDeclaration") return [];
  return listOf(statement, "declarations").map(({ id }) => nameOf(id) ?? "");
}

function isFunction({ type }: AnyNode): boolean {
  return /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(type);
}

function functionsOf(body: readonly AnyNode[]): AnyNode[] {
  const declared = body.map(({ declaration, ...node }) =>
    isNode(declaration) ? declaration : node,
  );
  return (declared as AnyNode[]).filter(isFunction);
}

/** The names of functions that a statement calls when the file is loaded. */
function* calledAtLoad(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const item of value) yield* calledAtLoad(item);
  if (!isNode(value) || isFunction(value)) return;
  if (value.type === "CallExpression") yield nameOf(value.callee) ?? "";
  for (const key of Object.keys(value)) yield* calledAtLoad(value[key]);
}

/** What functions use, and the functions that they use, by their names. */
function usedBy(names: readonly string[], functions: ReadonlyMap<string, AnyNode>): Set<string> {
  const used = new Set(names);
  // A set may grow while it is gone through.
  for (const name of used) {
    const called = functions.get(name);
    for (const node of nodesOf([called?.params, called?.body])) used.add(nameOf(node) ?? "");
  }
  return used;
}

/**
 * Each constant that is declared below a call, by name, of a function declaration of the same file
 * which may need it. What is not there yet ends the process with `Cannot access 'X' before
 * initialization`, which no type check and no lint rule foresees.
 */
export function loadOrderFaults(texts: readonly SourceText[]): string[] {
  return texts.flatMap(({ file, text }) => {
    const body = listOf(programOf(file, text), "body");
    const functions = new Map(functionsOf(body).map((each) => [nameOf(each.id) ?? "", each]));
    const faults = body.flatMap((statement, at) => {
      const called = [...calledAtLoad(statement)].filter((name) => functions.has(name));
      const used = usedBy(called, functions);
      return body
        .slice(at + 1)
        .flatMap(declaredBy)
        .filter((name) => name !== "" && used.has(name))
        .map((name) => `${file}: ${name} is declared below a call that may need it`);
    });
    return [...new Set(faults)];
  });
}
