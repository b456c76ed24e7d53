import { parseSync } from "oxc-parser";
import type { Node, Program } from "oxc-parser";

/** A name of a source that others read, and where it stands. */
export type Named = {
  readonly place: "name" | "file" | "log" | "field" | "metric";
  readonly text: string;
  readonly file: string;
};

type AnyNode = { readonly type: string; readonly [key: string]: unknown };

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && typeof (value as AnyNode).type === "string";
}

function* nodesOf(value: unknown): Generator<AnyNode> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item);
  if (!isNode(value)) return;
  yield value;
  for (const key of Object.keys(value)) if (key !== "type") yield* nodesOf(value[key]);
}

function idsOf(declaration: AnyNode): string[] {
  const declarators = declaration.type === "VariableDeclaration" ? declaration.declarations : [];
  const ids = [declaration, ...(declarators as AnyNode[])].map(({ id }) => id);
  return ids.filter(isNode).flatMap(({ name }) => (typeof name === "string" ? [name] : []));
}

function exportedNames(program: Program): string[] {
  return program.body.flatMap((node: Node) => {
    const declaration = (node as unknown as AnyNode).declaration;
    if (!node.type.startsWith("Export") || !isNode(declaration)) return [];
    return idsOf(declaration);
  });
}

function memberOf(call: AnyNode): { object: string; property: string } | undefined {
  const { callee } = call;
  if (!isNode(callee) || callee.type !== "MemberExpression" || !isNode(callee.property)) return;
  const { object, property } = callee;
  const name = isNode(object) ? (isNode(object.property) ? object.property.name : object.name) : "";
  return { object: String(name), property: String(property.name) };
}

function strings(values: unknown): string[] {
  return (values as AnyNode[]).flatMap(({ type, value }) =>
    type === "Literal" && typeof value === "string" ? [value] : [],
  );
}

const LEVELS = new Set(["trace", "debug", "info", "warn", "error", "fatal"]);
const METRICS = new Set(["counter", "gauge", "histogram"]);
const OBJECTS = new Set(["object", "strictObject"]);

function keysOf(call: AnyNode): string[] {
  const [shape] = call.arguments as AnyNode[];
  if (shape?.type !== "ObjectExpression") return [];
  return (shape.properties as AnyNode[]).flatMap(({ key }) =>
    isNode(key) && typeof key.name === "string" ? [key.name] : [],
  );
}

/** Whether the fields of the file's schemas are kept or published. */
function isContract(file: string): boolean {
  return /^libs\/shared\/src\/|^services\/[^/]+\/src\/model\//.test(file);
}

function calledWith(file: string, call: AnyNode): Omit<Named, "file">[] {
  const member = memberOf(call);
  if (member === undefined) return [];
  const { object, property } = member;
  const texts = strings(call.arguments);
  const last = (call.arguments as AnyNode[]).at(-1);
  if (/logger|^log$/i.test(object) && LEVELS.has(property) && last !== undefined) {
    return strings([last]).map((text) => ({ place: "log", text }));
  }
  if (METRICS.has(property) && texts[0]?.startsWith("rollcast_") === true) {
    return [{ place: "metric", text: texts[0] }];
  }
  if (object === "z" && OBJECTS.has(property) && isContract(file)) {
    return keysOf(call).map((text) => ({ place: "field", text }));
  }
  return [];
}

/** The names in a source, each place for itself. Throws where it is no TypeScript. */
export function namesOf(file: string, source: string): Named[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message ?? "cannot be parsed"}`);
  const called = [...nodesOf(program)]
    .filter(({ type }) => type === "CallExpression")
    .flatMap((call) => calledWith(file, call));
  const exported = exportedNames(program).map((text) => ({ place: "name" as const, text }));
  return [{ place: "file" as const, text: file }, ...exported, ...called].map((named) => ({
    ...named,
    file,
  }));
}
