import { isNode, listOf, nameOf, nodesOf, programOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";
import type { SourceText } from "./read-sources.ts";

function faultOf({ id, superClass, body }: AnyNode): string | undefined {
  if (!isNode(superClass) || superClass.type !== "Identifier" || !isNode(body)) return undefined;
  if (nameOf(superClass)?.endsWith("Error") !== true) return undefined;
  const name = nameOf(id) ?? "a class without a name";
  if (!name.endsWith("Error")) return `${name} is an error, and its name does not end in Error`;
  const given = listOf(body, "body").find(
    ({ type, key }) => type === "PropertyDefinition" && nameOf(key) === "name",
  );
  const own = nameOf(given?.value);
  return own === undefined || own === name ? undefined : `${name} calls itself ${own}`;
}

/** Each class of errors whose name does not end in `Error`, or that logs under another name. */
export function errorNameFaults(texts: readonly SourceText[]): string[] {
  return texts.flatMap(({ file, text }) =>
    [...nodesOf(programOf(file, text))]
      .filter(({ type }) => type === "ClassDeclaration" || type === "ClassExpression")
      .map(faultOf)
      .filter((fault) => fault !== undefined)
      .map((fault) => `${file}: ${fault}`),
  );
}
