import { isNode, keysOf, listOf, nameOf, nodesOf, partsOf, programOf, textsOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";
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

/** A name that a call gives, and to what. */
type CalledName = { readonly place: "log" | "field" | "metric"; readonly text: string };

const LEVELS = new Set(["trace", "debug", "info", "warn", "error", "fatal"]);
const METRICS = new Set(["counter", "gauge", "histogram"]);

/** What a method is called on: of `ctx.logger.child({}).warn()`, `logger`. */
function receiverOf(node: unknown): string {
  if (!isNode(node)) return "";
  if (node.type === "CallExpression" && isNode(node.callee)) return receiverOf(node.callee.object);
  return nameOf(node.property) ?? nameOf(node) ?? receiverOf(node.expression);
}

function isLogger(name: string): boolean {
  return /logger$|^log$|Log$/i.test(name);
}

/** Whether a call writes a line of the log. A logger of another name is known by its sentence. */
function isLogCall(receiver: string, method: string | undefined, args: readonly AnyNode[]) {
  if (method !== undefined && !LEVELS.has(method)) return false;
  if (isLogger(receiver)) return args.length > 0;
  const sentence = args.at(args.length > 1 ? 1 : 0);
  return method !== undefined && sentence !== undefined && textsOf(sentence).some(hasSpace);
}

function hasSpace(text: string): boolean {
  return text.trim().includes(" ");
}

function logNames(args: readonly AnyNode[]): CalledName[] {
  return args.flatMap((arg) => [
    ...textsOf(arg).map((text) => ({ place: "log" as const, text })),
    ...keysOf(arg).map((text) => ({ place: "field" as const, text })),
  ]);
}

function metricNames(texts: readonly string[]): CalledName[] {
  return texts.map((text) => ({ place: "metric", text }));
}

function elementsOf(list: unknown): string[] {
  if (!isNode(list)) return [];
  return partsOf(list).flatMap((array) => listOf(array, "elements").flatMap(textsOf));
}

/** What is given to the constructors of metrics: `{ name, labelNames }`. */
function constructedNames(call: AnyNode): CalledName[] {
  const properties = listOf(call, "arguments").flatMap((arg) => listOf(arg, "properties"));
  const named = properties.filter(({ key }) => nameOf(key) === "name").map(({ value }) => value);
  const labels = properties.filter(({ key }) => nameOf(key) === "labelNames");
  if (labels.length === 0) return [];
  return metricNames([
    ...named.filter(isNode).flatMap(textsOf),
    ...labels.flatMap(({ value }) => elementsOf(value)),
  ]);
}

/**
 * The sentences and fields of log lines, and the names and labels of metrics, that a call gives.
 */
function calledNames(call: AnyNode): CalledName[] {
  if (call.type === "NewExpression") return constructedNames(call);
  const { callee } = call;
  if (call.type !== "CallExpression" || !isNode(callee) || callee.type !== "MemberExpression") {
    return [];
  }
  const args = listOf(call, "arguments");
  const receiver = receiverOf(callee.object);
  const method = callee.computed === true ? undefined : nameOf(callee.property);
  if (isLogCall(receiver, method, args)) return logNames(args);
  if (method === "child" && isLogger(receiver)) return logNames(args.slice(0, 1));
  if (method === undefined || !METRICS.has(method) || args[0] === undefined) return [];
  const [name = ""] = textsOf(args[0]);
  return name.startsWith("rollcast_") ? metricNames([name, ...elementsOf(args[2])]) : [];
}
