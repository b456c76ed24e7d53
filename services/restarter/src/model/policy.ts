import { ANNOTATIONS } from "@rollcast/shared/annotations";
import type { SourceKind } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { contentDigest, sourceKey, splitSourceKey } from "./content.ts";
import type { Content, SourceKey } from "./content.ts";
import type { KindOptIn, NamedEntry } from "./opt-in.ts";
import type { Keys } from "./references.ts";
import type { Rules } from "./rules.ts";
import type { Workload } from "./workload.ts";

/** What the checks look at: a workload, one source, and what is known of the source. */
export type Question = {
  readonly rules: Rules;
  readonly workload: Workload;
  readonly source: {
    readonly kind: SourceKind;
    readonly namespace: string;
    readonly name: string;
  };
  readonly record: SourceRecord | undefined;
};

/** Whether the source makes the workload roll, and which check said so, in a word and a sentence. */
export type Verdict = {
  readonly roll: boolean;
  readonly check: CheckName;
  readonly reason: string;
};

type Asked = Question & { readonly optIn: KindOptIn; readonly keys: Keys | undefined };
type Check = {
  readonly name: string;
  readonly roll: boolean;
  readonly reason: string;
  readonly applies: (asked: Asked) => boolean;
};

/** What a source's own annotations say, under our names. */
function says({ record, rules }: Asked, name: string): boolean {
  return rules.annotations(record?.annotations)[name] === "true";
}

function names(entry: NamedEntry, { rules, workload, source }: Asked): boolean {
  if ((entry.namespace ?? workload.namespace) !== source.namespace) return false;
  return entry.exact
    ? entry.pattern === source.name
    : rules.patterns.matches(entry.pattern, source.name);
}

/**
 * Reloader's order of decision (`ShouldReload` of its 1.4), with what we ask besides; the first check that applies decides, and the last always does.
 */
const CHECKS = [
  {
    name: "deleting",
    roll: false,
    reason: "the workload is being deleted",
    applies: ({ workload }) => workload.deleting,
  },
  {
    name: "workload-type-ignored",
    roll: false,
    reason: "reload.ignoredWorkloadTypes lists the kind of the workload",
    applies: ({ workload, rules }) =>
      rules.ignoredWorkloadTypes.has(`${workload.kind.toLowerCase()}s`),
  },
  {
    name: "owned",
    roll: false,
    reason: "the workload belongs to another one, which is rolled itself",
    applies: ({ workload, rules }) =>
      workload.owner !== undefined && rules.ownerKinds.has(workload.owner.kind),
  },
  {
    name: "template-borrowed",
    roll: false,
    reason: "its pods are made from another workload's template, which is rolled in its place",
    applies: ({ workload }) => workload.borrows !== undefined,
  },
  {
    name: "source-ignored",
    roll: false,
    reason: "the source is annotated to be ignored",
    applies: (asked) => says(asked, ANNOTATIONS.ignore.own),
  },
  {
    name: "excluded",
    roll: false,
    reason: "the workload's annotation excludes the source",
    applies: ({ optIn, source, workload }) =>
      source.namespace === workload.namespace && optIn.excluded.includes(source.name),
  },
  {
    name: "named",
    roll: true,
    reason: "the workload's annotation names the source",
    applies: (asked) => asked.optIn.named.some((entry) => names(entry, asked)),
  },
  {
    name: "job-finished",
    roll: false,
    reason:
      "the Job has run to its end, and only one that names the source or has auto itself is run again",
    applies: ({ workload, optIn }) =>
      workload.finished === true && !(optIn.from === "workload" && optIn.auto === "yes"),
  },
  {
    name: "not-referenced",
    roll: false,
    reason: "the pod template does not use the source, and no annotation names it",
    applies: ({ keys }) => keys === undefined,
  },
  {
    name: "search-match",
    roll: true,
    reason: "the workload searches, and the source is annotated to match",
    applies: (asked) => asked.optIn.search && says(asked, ANNOTATIONS.match.own),
  },
  {
    name: "auto",
    roll: true,
    reason: "the workload is opted in for every source it uses",
    applies: ({ optIn }) => optIn.auto === "yes",
  },
  {
    name: "opted-out",
    roll: false,
    reason: "the workload's auto annotation says no",
    applies: ({ optIn }) => optIn.auto === "no",
  },
  {
    name: "auto-reload-all",
    roll: true,
    reason: "reload.auto opts every workload in that does not say otherwise",
    applies: ({ rules }) => rules.auto,
  },
  {
    name: "not-opted-in",
    roll: false,
    reason: "no annotation opts the workload in",
    applies: () => true,
  },
] as const satisfies readonly Check[];

export type CheckName = (typeof CHECKS)[number]["name"];
export const CHECK_NAMES: readonly CheckName[] = CHECKS.map(({ name }) => name);

/** The keys of the source that the pod template uses; undefined where it uses none. */
function keysUsed({ workload, source }: Pick<Question, "workload" | "source">): Keys | undefined {
  if (source.namespace !== workload.namespace) return undefined;
  return workload.references.find((one) => one.kind === source.kind && one.name === source.name)
    ?.keys;
}

function asked(question: Question): Asked {
  const optIn = question.workload.optIn[question.source.kind];
  return { ...question, optIn, keys: keysUsed(question) };
}

/** Every check that was asked, in order; the last of them decided. */
export function explain(question: Question): {
  readonly verdict: Verdict;
  readonly asked: readonly { readonly check: CheckName; readonly applies: boolean }[];
} {
  const all = asked(question);
  const at = CHECKS.findIndex((check) => check.applies(all));
  // The last check applies always.
  const decisive = CHECKS[at] as (typeof CHECKS)[number];
  return {
    verdict: { roll: decisive.roll, check: decisive.name, reason: decisive.reason },
    asked: CHECKS.slice(0, at + 1).map((check, i) => ({ check: check.name, applies: i === at })),
  };
}

/** Whether a change of the source makes the workload roll, and why. */
export function verdict(question: Question): Verdict {
  return explain(question).verdict;
}

/** Whether any source could ever make this workload roll: without that, nothing is kept of the workload. */
export function mayRoll(
  workload: Pick<Workload, "kind" | "owner" | "optIn" | "references" | "borrows">,
  rules: Rules,
): boolean {
  if (workload.borrows !== undefined) return false;
  if (rules.ignoredWorkloadTypes.has(`${workload.kind.toLowerCase()}s`)) return false;
  if (workload.owner !== undefined && rules.ownerKinds.has(workload.owner.kind)) return false;
  const named = (["ConfigMap", "Secret", "SecretProviderClass"] as const).some(
    (kind) => workload.optIn[kind].named.length > 0,
  );
  return (
    named ||
    workload.references.some(({ kind }) => {
      const { search, auto } = workload.optIn[kind];
      return search || auto === "yes" || (auto === "unset" && rules.auto);
    })
  );
}

/** The sources, known by name, that the workload may roll for, whatever they say themselves. Patterns name more: {@link patternsOf}. */
export function watchedSources(workload: Workload): SourceKey[] {
  const keys = new Set<SourceKey>();
  for (const { kind, name } of workload.references) {
    keys.add(sourceKey(kind, workload.namespace, name));
  }
  for (const kind of ["ConfigMap", "Secret", "SecretProviderClass"] as const) {
    for (const { pattern, exact, namespace } of workload.optIn[kind].named) {
      if (exact) keys.add(sourceKey(kind, namespace ?? workload.namespace, pattern));
    }
  }
  return [...keys];
}

/** A pattern of names in one namespace. */
export type SourcePattern = {
  readonly kind: SourceKind;
  readonly namespace: string;
  readonly pattern: string;
};

/** The patterns by which the workload's annotations name sources. */
export function patternsOf(workload: Workload): SourcePattern[] {
  return (["ConfigMap", "Secret", "SecretProviderClass"] as const).flatMap((kind) =>
    workload.optIn[kind].named
      .filter(({ exact }) => !exact)
      .map(({ pattern, namespace }) => ({
        kind,
        namespace: namespace ?? workload.namespace,
        pattern,
      })),
  );
}

/** The verdict on each of the workload's sources. */
export function verdicts(
  workload: Workload,
  sources: ReadonlyMap<SourceKey, SourceRecord | undefined>,
  rules: Rules,
): Map<SourceKey, Verdict> {
  const found = new Map<SourceKey, Verdict>();
  for (const key of new Set([...watchedSources(workload), ...sources.keys()])) {
    const record = sources.get(key);
    found.set(key, verdict({ rules, workload, source: splitSourceKey(key), record }));
  }
  return found;
}

/**
 * The present content of every source that makes the workload roll. A source that an annotation names counts whole: why it is named is not known here,
 * and a key that is read by other ways than the pod template must not be missed.
 */
export function presentContents(
  workload: Workload,
  sources: ReadonlyMap<SourceKey, SourceRecord | undefined>,
  judged: ReadonlyMap<SourceKey, Verdict>,
): Record<SourceKey, Content> {
  const contents: Record<SourceKey, Content> = {};
  for (const [key, { roll, check }] of judged) {
    if (!roll) continue;
    const record = sources.get(key);
    const used = keysUsed({ workload, source: splitSourceKey(key) });
    const keys = check === "named" ? "*" : (used ?? "*");
    contents[key] = { keys, digest: contentDigest(record, keys) };
  }
  return contents;
}
