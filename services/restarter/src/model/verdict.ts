import { watchedSources } from "./watched-sources.ts";
import type { SourceRecord } from "@rollcast/shared/records";
import { contentDigest, splitSourceKey } from "./content.ts";
import type { Content, SourceKey } from "./content.ts";
import type { Keys } from "./source-references.ts";
import type { Rules } from "./rules.ts";
import type { Workload } from "./workload.ts";
import type { CheckInput, CheckName, Question, Verdict } from "./verdict-checks.ts";
import { CHECKS } from "./verdict-checks.ts";

/** The keys of the source that the pod template uses; undefined if it uses none. */
function keysUsed({ workload, source }: Pick<Question, "workload" | "source">): Keys | undefined {
  if (source.namespace !== workload.namespace) return undefined;
  return workload.references.find(
    (reference) => reference.kind === source.kind && reference.name === source.name,
  )?.keys;
}

export function checkInput(question: Question): CheckInput {
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
    contents[key] = { keys, digest: contentDigest(record, keys) };
  }
  return contents;
}
