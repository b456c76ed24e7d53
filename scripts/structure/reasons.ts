import { isNode, listOf, nameOf, nodesOf, partsOf, programOf, textsOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";
import type { SourceText } from "./read-sources.ts";

export type Reason = { readonly file: string; readonly reason: string };

type Constants = ReadonlyMap<string, AnyNode>;

/** What the constants of a source, or of a part of it, stand for, by name. */
function constantsOf(tree: unknown): Map<string, AnyNode> {
  const constants = new Map<string, AnyNode>();
  for (const { type, kind, declarations } of nodesOf(tree)) {
    if (type !== "VariableDeclaration" || kind !== "const" || !Array.isArray(declarations))
      continue;
    for (const { id, init } of declarations.filter(isNode)) {
      const name = nameOf(id);
      if (name !== undefined && isNode(init)) constants.set(name, init);
    }
  }
  return constants;
}

/** What a constant is by its name, or what the object of `TABLE[key]` and `TABLE.key` has. */
function behind(part: AnyNode, constants: Constants): AnyNode[] {
  const { object, property, computed } = part;
  if (part.type === "Identifier") {
    const value = constants.get(nameOf(part) ?? "");
    return value === undefined ? [] : partsOf(value);
  }
  if (part.type !== "MemberExpression" || !isNode(object)) return [];
  const key = computed === true ? undefined : nameOf(property);
  return [object, ...behind(object, constants)]
    .flatMap(partsOf)
    .filter(({ type }) => type === "ObjectExpression")
    .flatMap((table) => listOf(table, "properties"))
    .filter((entry) => key === undefined || nameOf(entry.key) === key)
    .map(({ value }) => value)
    .filter(isNode);
}

/** The texts that an expression may be, with those of constants it names. */
function textsBehind(expression: AnyNode, constants: Constants): string[] {
  return partsOf(expression).flatMap((part) => [
    ...textsOf(part),
    ...behind(part, constants).flatMap(textsOf),
  ]);
}

/** The members of `z.enum([...])` and `z.literal(...)`, and of a union of types. */
function choicesOf(value: AnyNode): string[] {
  if (value.type.startsWith("TS")) {
    return [...nodesOf(value)].filter(({ type }) => type === "Literal").flatMap(textsOf);
  }
  return [...nodesOf(value)]
    .filter(({ type, callee }) => {
      const called = type === "CallExpression" && isNode(callee) ? nameOf(callee.property) : "";
      return called === "enum" || called === "literal";
    })
    .flatMap((call) => listOf(call, "arguments"))
    .flatMap((list) => (list.type === "ArrayExpression" ? listOf(list, "elements") : [list]))
    .flatMap(textsOf);
}

/** The expression, schema or type that a node gives to `reason`; none where it gives it nothing. */
function givenToReason({
  type,
  key,
  id,
  left,
  value,
  init,
  right,
  typeAnnotation,
}: AnyNode): AnyNode[] {
  const given: Readonly<Record<string, readonly [unknown, unknown]>> = {
    Property: [key, value],
    VariableDeclarator: [id, init],
    AssignmentPattern: [left, right],
    TSPropertySignature: [key, typeAnnotation],
  };
  const [name, what] = given[type] ?? [];
  return nameOf(name) === "reason" && isNode(what) ? [what] : [];
}

/**
 * Every constant text that a source gives to a field or variable `reason`: also either arm of a
 * choice, what a constant of any of the sources stands for, and what a schema or a type allows.
 */
export function reasonsOf(sources: readonly SourceText[]): Reason[] {
  const programs = sources.map(({ file, text }) => ({ file, program: programOf(file, text) }));
  // The name of an exported constant has one meaning, so a constant of another file is found by it.
  const exported = new Map(
    programs
      .flatMap(({ program }) => [...nodesOf(program)])
      .filter(({ type }) => type === "ExportNamedDeclaration")
      .flatMap(({ declaration }) => [...constantsOf(declaration)]),
  );
  return programs.flatMap(({ file, program }) => {
    const constants = new Map([...exported, ...constantsOf(program)]);
    return (
      [...nodesOf(program)]
        .flatMap(givenToReason)
        .flatMap((given) => [...textsBehind(given, constants), ...choicesOf(given)])
        // Where a template's expressions stood at its ends, there are blanks.
        .map((text) => text.trim())
        // None, and in a filter all, are no reasons.
        .filter((reason) => reason !== "" && reason !== "*")
        .map((reason) => ({ file, reason }))
    );
  });
}
