import { annotationNamer, annotationReader } from "@rollcast/shared/annotations";
import { misnamedReader } from "@rollcast/shared/misnamed-annotations";
import type { Misnamed } from "@rollcast/shared/misnamed-annotations";
import type { Reload } from "@rollcast/shared/config/reload";
import { RE2JS } from "re2js";

/** The configured rules on which workloads roll for which sources. Built once, in restarter.ts. */
export type Rules = Pick<
  Reload,
  "auto" | "onCreate" | "onDelete" | "strategy" | "imagePullSecrets"
> & {
  readonly ignoredWorkloadTypes: ReadonlySet<string>;
  readonly sharedNamespaces: ReadonlySet<string>;
  /** Whether a kind is watched itself: objects that it owns roll through it. */
  readonly isWatched: (kind: GroupKind) => boolean;
  readonly patterns: NamePatterns;
  /** Returns an object's annotations under our own names. */
  readonly annotations: (annotations: unknown) => Readonly<Record<string, string>>;
  /** The name under which an object has the annotation that we call `own`. */
  readonly writtenName: (annotations: Readonly<Record<string, unknown>>, own: string) => string;
  /** The first five annotations of an object that look like ours or Reloader's, and are none. */
  readonly misnamed: (annotations: unknown) => readonly Misnamed[];
};

/** A kind of the Kubernetes API: its name alone may be that of several. */
export type GroupKind = { readonly group: string; readonly kind: string };

export function createRules(reload: Reload, kinds: readonly GroupKind[]): Rules {
  const watched = new Set(kinds.map(({ group, kind }) => `${group}/${kind}`));
  return {
    auto: reload.auto,
    onCreate: reload.onCreate,
    onDelete: reload.onDelete,
    strategy: reload.strategy,
    imagePullSecrets: reload.imagePullSecrets,
    ignoredWorkloadTypes: new Set(reload.ignoredWorkloadTypes),
    sharedNamespaces: new Set(reload.sharedNamespaces),
    isWatched: ({ group, kind }) => watched.has(`${group}/${kind}`),
    patterns: createNamePatterns(),
    annotations: annotationReader(reload.annotations),
    writtenName: annotationNamer(reload.annotations),
    misnamed: misnamedReader(reload.annotations),
  };
}

/**
 * Whether a name matches a pattern as Reloader compiles it: `^<pattern>$` without a group, so `a
 * b` means "starts with a, or ends with b".
 */
export type NamePatterns = {
  matches(pattern: string, name: string): boolean;
  /** Describes what is wrong with a pattern; undefined if it is valid. */
  fault(pattern: string): string | undefined;
};

const MAX_PATTERN = 256;
/**
 * The compiled program expands every counted repetition; more than this would cost too much memory.
 */
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

/**
 * Linear-time patterns (RE2, the engine of Go's regexp, https://github.com/google/re2/wiki/Syntax),
 * each compiled once.
 */
function createNamePatterns(): NamePatterns {
  const compiled = new Map<string, RE2JS | string>();
  const get = (pattern: string) => {
    const existing = compiled.get(pattern);
    if (existing !== undefined) return existing;
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
