import type { z } from "zod";

type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** A path as people write it: `notifier.receivers[0].webhook.url`. */
export function formatPath(path: Path): string {
  return path
    .map((part, i) => {
      if (typeof part === "number") return `[${part}]`;
      return `${i === 0 ? "" : "."}${String(part).slice(0, 100)}`;
    })
    .join("");
}

type Def = {
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly getter?: () => z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
};

/** The keys that the mapping at `path` may have, where the schema says so. */
function knownKeys(schema: z.core.$ZodType, path: Path): string[] {
  const def = schema._zod.def as unknown as Def;
  const wrapped = def.innerType ?? def.in ?? def.getter?.();
  if (wrapped !== undefined) return knownKeys(wrapped, path);
  if (def.options !== undefined) return def.options.flatMap((option) => knownKeys(option, path));
  const [head, ...rest] = path;
  if (head === undefined) return Object.keys(def.shape ?? {});
  const next = def.element ?? def.shape?.[String(head)];
  return next === undefined ? [] : knownKeys(next, rest);
}

function typeName(expected: string): string {
  if (expected === "object" || expected === "record") return "a mapping";
  if (expected === "array") return "a list";
  if (expected === "int") return "a whole number";
  return expected === "boolean" ? "true or false" : `a ${expected}`;
}

/** What would be right, where zod's own words are for programmers. */
function wording(issue: Issue): string {
  const { message } = issue;
  const custom = !/^(Invalid|Too (big|small))/.test(message);
  if (custom) return message;
  if (issue.code === "invalid_type") {
    const given = /received (\w+)$/.exec(message)?.[1] ?? "something else";
    const must = `must be ${typeName(issue.expected)}`;
    if (given === "undefined") return `is missing: ${must}`;
    return given === "null" ? `is empty: ${must}, or left out` : `${must}, not ${given}`;
  }
  if (issue.code === "invalid_value") {
    return `must be ${issue.values.map((value) => String(value)).join(" or ")}`;
  }
  if (issue.code === "too_big") return `must be at most ${issue.maximum}${unit(issue.origin)}`;
  if (issue.code === "too_small") return `must be at least ${issue.minimum}${unit(issue.origin)}`;
  if (issue.code === "invalid_format") {
    const { pattern, format } = issue;
    return format === "regex"
      ? `must match ${pattern ?? "a pattern"}`
      : `must be ${formatName(format)}`;
  }
  if (issue.code === "invalid_union") {
    const ways = issue.errors.flatMap((faults) => faults.map(wording));
    return [...new Set(ways)].join(", or ") || message;
  }
  return message;
}

function unit(origin: string): string {
  if (origin === "array") return " entries";
  return origin === "string" ? " characters" : "";
}

function formatName(format: string): string {
  const names: Readonly<Record<string, string>> = {
    url: "a URL",
    cidrv4: "an IPv4 range like 10.0.0.0/8",
    cidrv6: "an IPv6 range like fd00::/8",
  };
  return names[format] ?? `a valid ${format}`;
}

/**
 * One line per fault, `path: what would be right`. `names` gives another name for what is at a
 * path, e.g. of the environment variable that set it. Values are never quoted: one could be a
 * secret in the wrong place.
 */
export function faultLines(
  schema: z.core.$ZodType,
  issues: readonly Issue[],
  names: ReadonlyMap<string, string> = new Map(),
): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      const keys = knownKeys(schema, issue.path).join(", ");
      return issue.keys.map(
        (key) => `${formatPath([...issue.path, key])}: unknown key, known here: ${keys}`,
      );
    }
    const where = formatPath(issue.path);
    return [`${names.get(where) ?? (where || "(file)")}: ${wording(issue)}`];
  });
}
