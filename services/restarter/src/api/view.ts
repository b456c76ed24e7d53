import type { DecisionView, RolloutLine, SourceView } from "@rollcast/shared/api/workload-views";
import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import { ABSENT, UNKNOWN, contentDigest, splitSourceKey } from "../model/content.ts";
import type { Content } from "../model/content.ts";
import type { Decision } from "../decision/decision.ts";
import { explain, presentContents, verdicts } from "../model/verdict.ts";
import type { DecisionInput } from "../decision/decision-input.ts";

const SHORT = 8;

/** RFC 3339, of milliseconds since the epoch; undefined where there is no time. */
export function isoTime(ms: number): string;
export function isoTime(ms: number | undefined): string | undefined;
export function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Enough of a digest to compare two. */
export function shortDigest(digest: string): string {
  if (digest === ABSENT || digest === UNKNOWN) return digest;
  const hash = digest.slice(digest.indexOf(".") + 1);
  return hash.slice(0, SHORT);
}

/** A decision as a word, a reason and a time. */
export function decisionView(decision: Decision): DecisionView {
  if (decision.do === "requeue") return { do: decision.do };
  const { due, failure, hold } = decision.record;
  if (hold !== undefined) return { do: "wait", reason: hold };
  if (decision.do === "skip") return { do: decision.do, reason: "Observe" };
  if (decision.do !== "wait") return { do: decision.do };
  const refused = failure !== undefined && decision.until === failure.retryAt;
  const reason = refused ? failure.reason : due?.reason;
  return {
    do: decision.do,
    reason,
    message: refused ? `retry after ${failure.reason}` : undefined,
    at: isoTime(decision.until),
  };
}

/**
 * Every source that may matter to the workload: running content, present content, and each check's
 * verdict.
 */
export function sourceViews(
  s: DecisionInput,
  running: Readonly<Record<string, Content>>,
): SourceView[] {
  const { workload, sources, rules } = s;
  const contents = presentContents(workload, sources, verdicts(workload, sources, rules));
  return [...sources].map(([key, record]) => {
    const source = splitSourceKey(key);
    const { verdict, checks } = explain({ rules, workload, source, record });
    const wanted = contents[key];
    const runs = running[key];
    const present = wanted?.digest ?? contentDigest(record, "*");
    return {
      ...source,
      keys: wanted === undefined ? undefined : wanted.keys === "*" ? "*" : [...wanted.keys],
      running: runs && shortDigest(runs.digest),
      present: shortDigest(present),
      equal: runs && runs.digest === present,
      changedAt: isoTime(record?.changedAt),
      changedBy: record?.changedBy,
      rolls: verdict.roll,
      check: verdict.check,
      message: verdict.message,
      checks: [...checks],
    } satisfies SourceView;
  });
}

/** A rollout event in one line. */
export function lineOf(event: RolloutEvent): RolloutLine {
  const { rollout, reason, message, durationMs, cause } = event.data;
  return {
    at: event.time,
    outcome: eventOutcome(event.type).outcome,
    rollout,
    reason,
    message,
    durationMs,
    cause,
  };
}
