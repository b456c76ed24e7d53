import { parseSync } from "oxc-parser";

/** A node of a syntax tree, with whatever its type has. */
export type AnyNode = { readonly type: string; readonly [key: string]: unknown };

export function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && typeof (value as AnyNode).type === "string";
}

/** A node, or all of a list, with everything below. */
export function* nodesOf(value: unknown): Generator<AnyNode> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item);
  if (!isNode(value)) return;
  yield value;
  for (const key of Object.keys(value)) if (key !== "type") yield* nodesOf(value[key]);
}

/** The syntax tree of a TypeScript source. Throws where it is no TypeScript. */
export function programOf(file: string, source: string): AnyNode {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message ?? "cannot be parsed"}`);
  return program as unknown as AnyNode;
}

/** The nodes in a list of a node's, e.g. its `arguments`; none where it has no such list. */
export function listOf(node: AnyNode, key: string): AnyNode[] {
  const list = node[key];
  return Array.isArray(list) ? list.filter(isNode) : [];
}

/** The name of an identifier or the text of a string; undefined for anything else. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (typeof node.name === "string") return node.name;
  return node.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}

/**
 * The nodes that an expression may evaluate to or is put together from: both arms of `a ? b : c`.
 */
export function partsOf(expression: AnyNode): AnyNode[] {
  const below = ["consequent", "alternate", "left", "right", "expression", "argument"]
    .map((key) => expression[key])
    .filter(isNode);
  const compound =
    /^(?:Conditional|Logical|Binary|TSAs|TSSatisfies|TSNonNull|Parenthesized)Expression$|^SpreadElement$/;
  return compound.test(expression.type) ? below.flatMap(partsOf) : [expression];
}

/** The constant texts of an expression: its strings and templates, those with gaps without them. */
export function textsOf(expression: AnyNode): string[] {
  return partsOf(expression).flatMap((part) => {
    if (part.type === "Literal") return typeof part.value === "string" ? [part.value] : [];
    if (part.type !== "TemplateLiteral") return [];
    const texts = listOf(part, "quasis").map(({ value }) => (value as { raw: string }).raw);
    return [texts.join(" ")];
  });
}

/**
 * The keys of an object literal, with those of the literals in it and of what is spread into it.
 */
export function keysOf(expression: AnyNode): string[] {
  return partsOf(expression)
    .filter(({ type }) => type === "ObjectExpression")
    .flatMap((object) => listOf(object, "properties"))
    .flatMap((property) => {
      const value = isNode(property.value) ? keysOf(property.value) : keysOf(property);
      return [...(property.computed === true ? [] : [nameOf(property.key)]), ...value];
    })
    .filter((key) => key !== undefined);
}
