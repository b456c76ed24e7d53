import { RE2JS } from "re2js";

/** Whether a name matches a pattern as Reloader compiles it: `^<pattern>$`, ungrouped, so `a|b` is "begins with a, or ends with b". */
export type NamePatterns = {
  matches(pattern: string, name: string): boolean;
  /** What is wrong with a pattern, or undefined. */
  fault(pattern: string): string | undefined;
};

const MAX_PATTERN = 256;
/** Each counted repetition is written out in the program that matches: more of them than this cost memory that no name is worth. */
const MAX_REPEATS = 1_000;
const MAX_COMPILED = 1_000;

function sizeFault(pattern: string): string | undefined {
  if (pattern.length > MAX_PATTERN) return `is longer than ${MAX_PATTERN} characters`;
  const counts = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, least, most]) =>
    Number(most === undefined || most === "" ? least : most),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  return total > MAX_REPEATS ? `repeats more than ${MAX_REPEATS} times` : undefined;
}

function compile(pattern: string): RE2JS | string {
  const size = sizeFault(pattern);
  if (size !== undefined) return size;
  try {
    return RE2JS.compile(`^${pattern}$`);
  } catch (err) {
    const message = err instanceof Error ? err.message : String(err);
    return `is no regular expression that RE2 takes (${message.slice(0, 100)})`;
  }
}

/** Patterns in linear time (RE2, the engine of Go's regexp, https://github.com/google/re2/wiki/Syntax), compiled once each. */
export function createNamePatterns(): NamePatterns {
  const compiled = new Map<string, RE2JS | string>();
  const get = (pattern: string) => {
    const known = compiled.get(pattern);
    if (known !== undefined) return known;
    const [oldest] = compiled.keys();
    if (compiled.size >= MAX_COMPILED && oldest !== undefined) compiled.delete(oldest);
    const made = compile(pattern);
    compiled.set(pattern, made);
    return made;
  };
  return {
    matches(pattern, name) {
      const program = get(pattern);
      return typeof program !== "string" && program.matcher(name).find();
    },
    fault(pattern) {
      const program = get(pattern);
      return typeof program === "string" ? program : undefined;
    },
  };
}
