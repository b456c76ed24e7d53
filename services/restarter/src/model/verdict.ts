import { ANNOTATIONS } from "@rollcast/shared/annotations";
import type { SourceKind } from "@rollcast/shared/events";
import { changedNames } from "@rollcast/shared/records";
import type { SourceRecord } from "@rollcast/shared/records";
import type { KindOptIn, NamedEntry } from "./opt-in.ts";
import type { Keys } from "./source-references.ts";
import type { Rules } from "./rules.ts";
import { isOwnedJob, watchedSources } from "./workload.ts";
import type { Workload } from "./workload.ts";
import { ABSENT, contentDigest, splitSourceKey } from "./content.ts";
import type { Content, SourceKey } from "./content.ts";

/** The input of the checks: a workload, one source, and its record. */
type Question = {
  readonly rules: Rules;
  readonly workload: Workload;
  readonly source: {
    readonly kind: SourceKind;
    readonly namespace: string;
    readonly name: string;
  };
  readonly record: SourceRecord | undefined;
};

/** Whether the source rolls the workload, and which check decided, as a name and a sentence. */
export type Verdict = {
  readonly roll: boolean;
  readonly check: CheckName;
  readonly message: string;
};

type CheckInput = Question & { readonly optIn: KindOptIn; readonly keys: Keys | undefined };

type Check = {
  readonly name: string;
  readonly roll: boolean;
  readonly message: string;
  readonly applies: (input: CheckInput) => boolean;
};

/** What a source's own annotations say, under our names. */
function says({ record, rules }: CheckInput, name: string): boolean {
  return rules.annotations(record?.annotations)[name] === "true";
}

function names(entry: NamedEntry, { rules, workload, source }: CheckInput): boolean {
  if ((entry.namespace ?? workload.namespace) !== source.namespace) return false;
  return entry.exact
    ? entry.pattern === source.name
    : rules.patterns.matches(entry.pattern, source.name);
}

/**
 * Reloader's order of decision (`ShouldReload` in 1.4) plus our own checks. The first check that
 * applies decides; the last one always applies.
 */
const CHECKS = [
  {
    name: "deleting",
    roll: false,
    message: "the workload is being deleted",
    applies: ({ workload }) => workload.deleting,
  },
  {
    name: "workload-type-ignored",
    roll: false,
    message: "reload.ignoredWorkloadTypes lists the kind of the workload",
    applies: ({ workload, rules }) =>
      rules.ignoredWorkloadTypes.has(`${workload.kind.toLowerCase()}s`),
  },
  {
    name: "owned",
    roll: false,
    message: "the workload belongs to another one, which is rolled itself",
    applies: ({ workload, rules }) =>
      workload.owner !== undefined && rules.isWatched(workload.owner),
  },
  {
    name: "owned-finished",
    roll: false,
    message: "the Job has run to its end, and only its controller runs another one",
    applies: ({ workload }) => isOwnedJob(workload) && workload.finished === true,
  },
  {
    name: "workload-ref",
    roll: false,
    message: "its pods are made from another workload's template, which is rolled in its place",
    applies: ({ workload }) => workload.workloadRef !== undefined,
  },
  {
    name: "source-ignored",
    roll: false,
    message: "the source is annotated to be ignored",
    applies: (input) => says(input, ANNOTATIONS.ignore.own),
  },
  {
    name: "excluded",
    roll: false,
    message: "the workload's annotation excludes the source",
    applies: ({ optIn, source, workload }) =>
      source.namespace === workload.namespace && optIn.excluded.includes(source.name),
  },
  {
    name: "named",
    roll: true,
    message: "the workload's annotation names the source",
    applies: (input) => input.optIn.named.some((entry) => names(entry, input)),
  },
  {
    name: "job-hook",
    roll: false,
    message:
      "the Job is a hook of Helm or Argo CD, and only one that names the source is run again",
    applies: ({ workload }) => workload.hook === true,
  },
  {
    name: "job-finished",
    roll: false,
    message:
      "the Job has run to its end, and only one that names the source or has auto itself is run again",
    applies: ({ workload, optIn }) =>
      workload.finished === true && !(optIn.from === "workload" && optIn.auto === "yes"),
  },
  {
    name: "not-referenced",
    roll: false,
    message: "the pod template does not use the source, and no annotation names it",
    applies: ({ keys }) => keys === undefined,
  },
  {
    name: "search-match",
    roll: true,
    message: "the workload searches, and the source is annotated to match",
    applies: (input) => input.optIn.search && says(input, ANNOTATIONS.match.own),
  },
  {
    name: "auto",
    roll: true,
    message: "the workload is opted in for every source it uses",
    applies: ({ optIn }) => optIn.auto === "yes",
  },
  {
    name: "opted-out",
    roll: false,
    message: "the workload's auto annotation says no",
    applies: ({ optIn }) => optIn.auto === "no",
  },
  {
    name: "auto-reload-all",
    roll: true,
    message: "reload.auto opts every workload in that does not say otherwise",
    applies: ({ rules }) => rules.auto,
  },
  {
    name: "not-opted-in",
    roll: false,
    message: "no annotation opts the workload in",
    applies: () => true,
  },
] as const satisfies readonly Check[];

export type CheckName = (typeof CHECKS)[number]["name"];

export const CHECK_NAMES: readonly CheckName[] = CHECKS.map(({ name }) => name);

/** The keys of the source that the pod template uses; undefined if it uses none. */
function keysUsed({ workload, source }: Pick<Question, "workload" | "source">): Keys | undefined {
  if (source.namespace !== workload.namespace) return undefined;
  return workload.references.find(
    (reference) => reference.kind === source.kind && reference.name === source.name,
  )?.keys;
}

function checkInput(question: Question): CheckInput {
  const optIn = question.workload.optIn[question.source.kind];
  return { ...question, optIn, keys: keysUsed(question) };
}

/** Every evaluated check, in order; the last one decided. */
export function explain(question: Question): {
  readonly verdict: Verdict;
  readonly checks: readonly { readonly check: CheckName; readonly applies: boolean }[];
} {
  const all = checkInput(question);
  const at = CHECKS.findIndex((check) => check.applies(all));
  // The last check always applies.
  const decisive = CHECKS[at] as (typeof CHECKS)[number];
  return {
    verdict: { roll: decisive.roll, check: decisive.name, message: decisive.message },
    checks: CHECKS.slice(0, at + 1).map((check, i) => ({
      check: check.name,
      applies: i === at,
    })),
  };
}

/** Whether a change of the source rolls the workload, and why. */
export function verdict(question: Question): Verdict {
  return explain(question).verdict;
}

/** The verdict on each source of the workload. */
export function verdicts(
  workload: Workload,
  sources: ReadonlyMap<SourceKey, SourceRecord | undefined>,
  rules: Rules,
): Map<SourceKey, Verdict> {
  const verdicts = new Map<SourceKey, Verdict>();
  for (const key of new Set([...watchedSources(workload), ...sources.keys()])) {
    const record = sources.get(key);
    verdicts.set(key, verdict({ rules, workload, source: splitSourceKey(key), record }));
  }
  return verdicts;
}

/**
 * The present content of every source that rolls the workload. A source named by an annotation
 * counts with all its keys: the application may read it by other means than the pod template.
 */
export function presentContents(
  workload: Workload,
  sources: ReadonlyMap<SourceKey, SourceRecord | undefined>,
  verdictBySource: ReadonlyMap<SourceKey, Verdict>,
): Record<SourceKey, Content> {
  const contents: Record<SourceKey, Content> = {};
  for (const [key, { roll, check }] of verdictBySource) {
    if (!roll) continue;
    const record = sources.get(key);
    const used = keysUsed({ workload, source: splitSourceKey(key) });
    const keys = check === "named" ? "*" : (used ?? "*");
    const digest = contentDigest(record, keys);
    const isThere = digest !== ABSENT;
    contents[key] = { keys, digest, ...(isThere ? { changeCount: record?.changeCount ?? 0 } : {}) };
  }
  return contents;
}

const MAX_VERDICTS = 200;
/** Which check decided on each source, for the API; at most 200. */
export function boundedVerdicts(all: ReadonlyMap<SourceKey, Verdict>): Record<string, string> {
  const bounded = [...all].slice(0, MAX_VERDICTS);
  return Object.fromEntries(bounded.map(([key, { check }]) => [key, check]));
}

/** Whether one of the keys differs, by the names that do; if those are not known, it may. */
export function touches(keys: Keys, names: readonly string[] | undefined): boolean {
  return keys === "*" || names === undefined || names.some((name) => keys.includes(name));
}

/**
 * The workloads that use the source, pass the checks, are not left to their controllers, and use a
 * key that differs.
 */
export function countAffected(
  users: readonly Workload[],
  source: SourceKey,
  about: { record: SourceRecord; rules: Rules },
): number {
  const { record, rules } = about;
  const { kind, namespace, name } = splitSourceKey(source);
  return users.filter((workload) => {
    if (isOwnedJob(workload)) return false;
    const question = { rules, workload, source: { kind, namespace, name }, record };
    if (!verdict(question).roll) return false;
    // A workload that names the source only by annotation rolls for every key.
    const keys = keysUsed(question) ?? "*";
    return touches(keys, changedNames(record.changedKeys));
  }).length;
}

/** How many workloads the last change of a source rolls. */
export type Affected = (source: SourceKey, record: SourceRecord) => number;

/** Cached counts: those of sources that change together. */
const MAX_COUNTS = 1_000;

/**
 * Counts each change once, so that all its rollouts report the same number, and a change that rolls
 * thousands of workloads is not counted thousands of times.
 */
export function createAffectedCounts(
  index: { usersOf(source: SourceKey): readonly Workload[] },
  rules: Rules,
): Affected {
  const counts = new Map<SourceKey, { version: string; count: number }>();
  return (source, record) => {
    const version = `${record.uid} ${record.resourceVersion}`;
    const cached = counts.get(source);
    if (cached?.version === version) return cached.count;
    const count = countAffected(index.usersOf(source), source, { record, rules });
    counts.delete(source);
    counts.set(source, { version, count });
    for (const oldest of counts.keys()) {
      if (counts.size <= MAX_COUNTS) break;
      counts.delete(oldest);
    }
    return count;
  };
}
