import { z } from "zod";
import { Config } from "@rollcast/shared/config/schema";

type Schema = {
  readonly title?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
};

/** One key of rollcast.yaml: its path, its type, and its default as JSON. */
export type Key = { readonly path: string; readonly takes: string; readonly fallback: string };

const BEGIN = "<!-- keys: made by `pnpm run docs`, but for what they mean -->";
const END = "<!-- end of keys -->";
/** Recursion in the schema (routes in routes) ends here. */
const MAX_DEPTH = 7;

function alternatives(schema: Schema): readonly Schema[] {
  return schema.anyOf ?? schema.oneOf ?? [schema];
}

function numeric({ minimum, maximum, type }: Schema): string {
  const low = minimum ?? Number.MIN_SAFE_INTEGER;
  const high = maximum ?? Number.MAX_SAFE_INTEGER;
  const word = type === "integer" ? "whole number" : "number";
  if (low <= Number.MIN_SAFE_INTEGER && high >= Number.MAX_SAFE_INTEGER) return word;
  if (high >= Number.MAX_SAFE_INTEGER) return `${word}, at least ${low}`;
  return low <= Number.MIN_SAFE_INTEGER ? `${word}, at most ${high}` : `${low} to ${high}`;
}

/** `{ file: PATH }` or `{ env: NAME }`. */
function isSecretRef(schema: Schema): boolean {
  const names = (schema.anyOf ?? schema.oneOf ?? []).map((alternative) =>
    Object.keys(alternative.properties ?? {}).join(),
  );
  return names.toSorted().join(" ") === "env file";
}

function takes(schema: Schema): string {
  if (schema.title !== undefined) return schema.title;
  if (isSecretRef(schema)) return "`{ file: PATH }` or `{ env: NAME }`";
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined)
    return schema.enum.map((alternative) => `\`${String(alternative)}\``).join(", ");
  if (schema.type === "integer" || schema.type === "number") return numeric(schema);
  if (schema.type === "boolean") return "`true`, `false`";
  if (schema.type === "array") return `list of ${takes(schema.items ?? {})}`;
  if (schema.type === "string") return "text";
  if (schema.type === "null") return "nothing";
  const each = schema.anyOf ?? schema.oneOf;
  if (each === undefined) return "mapping";
  return [...new Set(each.map(takes))].join(" or ");
}

/** Templates are keyed by outcome and have one form, so one line is enough. */
function oneOfMany(path: string, name: string): string {
  return path.endsWith(".templates") ? name.replace(/^rollout\..+/, "rollout.OUTCOME") : name;
}

function walk(schema: Schema, path: string, depth: number): Key[] {
  const inside = alternatives(schema).flatMap((alternative) => {
    if (depth > MAX_DEPTH || isSecretRef(schema)) return [];
    if (alternative.type === "array") return walk(alternative.items ?? {}, `${path}[]`, depth + 1);
    return Object.entries(alternative.properties ?? {}).flatMap(([name, property]) =>
      walk(property, path === "" ? name : `${path}.${oneOfMany(path, name)}`, depth + 1),
    );
  });
  if (inside.length > 0) return inside;
  const fallback = schema.default === undefined ? "" : `\`${JSON.stringify(schema.default)}\``;
  return path === "" || path.endsWith("[]") ? [] : [{ path, takes: takes(schema), fallback }];
}

/** Every key of the configuration once, in the order of the schema. */
export function configKeys(): Key[] {
  const schema = z.toJSONSchema(Config, { io: "input", unrepresentable: "any" }) as Schema;
  const keys = new Map<string, Key>();
  for (const key of walk(schema, "", 0)) {
    const before = keys.get(key.path);
    const both = before === undefined || before.takes === key.takes;
    keys.set(key.path, both ? key : { ...key, takes: `${before.takes} or ${key.takes}` });
  }
  return [...keys.values()];
}

function meanings(table: string): Map<string, string> {
  const rows = table.matchAll(/^\| `([^`]+)` \|.*\| ([^|]*) \|$/gm);
  return new Map([...rows].map(([, path = "", meaning = ""]) => [path, meaning.trim()]));
}

/**
 * Regenerates the page's table of keys; the explanations are kept from the existing table.
 * `missing`: keys without an explanation.
 */
export function withConfigTable(page: string): { page: string; missing: string[] } {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page lacks "${BEGIN}" and "${END}"`);
  const existing = meanings(page.slice(begin, end));
  const keys = configKeys();
  const rows = keys.map(
    ({ path, takes: what, fallback }) =>
      `| \`${path}\` | ${what} | ${fallback} | ${existing.get(path) ?? ""} |`,
  );
  const table = ["| key | takes | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
  return {
    page: `${page.slice(0, begin)}${BEGIN}\n\n${table}\n\n${page.slice(end)}`,
    missing: keys.filter(({ path }) => (existing.get(path) ?? "") === "").map(({ path }) => path),
  };
}
