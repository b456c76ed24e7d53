import { ANNOTATIONS } from "@rollcast/shared/annotations";
import type { SourceKind } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import type { KindOptIn, NamedEntry } from "./opt-in.ts";
import type { Keys } from "./source-references.ts";
import type { Rules } from "./rules.ts";
import type { Workload } from "./workload.ts";

/** The input of the checks: a workload, one source, and its record. */
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

/** Whether the source rolls the workload, and which check decided, as a name and a sentence. */
export type Verdict = {
  readonly roll: boolean;
  readonly check: CheckName;
  readonly message: string;
};

export type CheckInput = Question & { readonly optIn: KindOptIn; readonly keys: Keys | undefined };

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
export const CHECKS = [
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
      workload.owner !== undefined && rules.ownerKinds.has(workload.owner.kind),
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
