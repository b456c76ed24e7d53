import type { SourceRecord } from "@rollcast/shared/records";
import { contentDigest, sourceKey } from "./content.ts";
import type { Content, SourceKey } from "./content.ts";
import type { Reference } from "./references.ts";
import type { Workload } from "./workload.ts";

/** What a check looks at: a workload, one source, and how the workload uses it. */
export type Question = {
  readonly workload: Workload;
  readonly reference: Reference;
  readonly source: SourceRecord | undefined;
};

/** Whether the source makes the workload roll, and which check said so, in a word and a sentence. */
export type Verdict = { readonly roll: boolean; readonly check: string; readonly reason: string };

type Check = { readonly name: string; readonly ask: (question: Question) => boolean | undefined };

/** Values that Go's strconv.ParseBool takes for true: Reloader reads its switches with it. */
const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const AUTO = ["reloader.stakater.com/auto", "rollcast.dev/auto"];
const IGNORE = ["reloader.stakater.com/ignore", "rollcast.dev/ignore"];

function optedIn({ workload }: Question): boolean {
  // All or nothing: the pod template speaks only where the workload itself says nothing.
  const own = AUTO.some((name) => workload.annotations[name] !== undefined);
  const speaking = own ? workload.annotations : workload.templateAnnotations;
  return AUTO.some((name) => TRUE.has(speaking[name] ?? ""));
}

/** In this order; the first that answers decides. */
const CHECKS: readonly (Check & { readonly because: string })[] = [
  {
    name: "source-ignored",
    because: "the source is annotated to be ignored",
    ask: ({ source }) =>
      IGNORE.some((name) => source?.annotations[name] === "true") ? false : undefined,
  },
  {
    name: "auto",
    because: "the workload is opted in for every source it uses",
    ask: (question) => (optedIn(question) ? true : undefined),
  },
];

/** Asks the checks in their order; a workload that nothing opts in does not roll. */
export function verdict(question: Question): Verdict {
  for (const check of CHECKS) {
    const roll = check.ask(question);
    if (roll !== undefined) return { roll, check: check.name, reason: check.because };
  }
  return { roll: false, check: "not-opted-in", reason: "no annotation opts the workload in" };
}

/** Whether any source could make this workload roll: without it, nothing is kept of the workload. */
export function mayRoll(workload: Workload): boolean {
  return workload.references.some(
    (reference) => verdict({ workload, reference, source: undefined }).roll,
  );
}

/** The sources that the workload may roll for, whatever they say themselves. */
export function watchedSources(workload: Workload): SourceKey[] {
  return workload.references.map(({ kind, name }) => sourceKey(kind, workload.namespace, name));
}

/** The present content of every source that makes the workload roll. */
export function presentContents(
  workload: Workload,
  sources: ReadonlyMap<SourceKey, SourceRecord | undefined>,
): Record<SourceKey, Content> {
  const contents: Record<SourceKey, Content> = {};
  for (const reference of workload.references) {
    const key = sourceKey(reference.kind, workload.namespace, reference.name);
    const source = sources.get(key);
    if (!verdict({ workload, reference, source }).roll) continue;
    contents[key] = { keys: reference.keys, digest: contentDigest(source, reference.keys) };
  }
  return contents;
}
