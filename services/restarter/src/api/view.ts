import type {
  DecisionView,
  RolloutLine,
  SourceView,
  WorkloadState,
  WorkloadSummary,
} from "@rollcast/shared/api/workload-views";
import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import { unreadableDuration } from "../model/annotation-values.ts";
import { ABSENT, UNKNOWN, contentDigest, splitSourceKey } from "../model/content.ts";
import type { Content } from "../model/content.ts";
import type { Decision, DecisionInput } from "../decision/decision.ts";
import { STRIPPED, strippedText } from "../decision/decide.ts";
import { INVALID_ANNOTATION } from "../decision/blocking-gate.ts";
import { leftToOwner } from "../model/workload.ts";
import { explain, presentContents, verdicts } from "../model/verdict.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";

const SHORT = 8;

/** RFC 3339, of milliseconds since the epoch; undefined where there is no time. */
export function isoTime(ms: number): string;
export function isoTime(ms: number | undefined): string | undefined;
export function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Enough of a digest to compare two. */
function shortDigest(digest: string): string {
  if (digest === ABSENT || digest === UNKNOWN) return digest;
  const hash = digest.slice(digest.indexOf(".") + 1);
  return hash.slice(0, SHORT);
}

/** Why it waits, beyond the reason. */
function deferralText(reason: string | undefined, record: WorkloadRecord, workload: Workload) {
  if (reason === STRIPPED) return strippedText(record);
  return reason === INVALID_ANNOTATION ? unreadableDuration(workload) : undefined;
}

/** A decision as a word, a reason and a time. */
export function decisionView(decision: Decision, workload: Workload): DecisionView {
  if (decision.do === "requeue") return { do: decision.do };
  const { due, failure, hold } = decision.record;
  if (hold !== undefined) return { do: "wait", reason: hold };
  if (decision.do === "skip") return { do: decision.do, reason: "Observe" };
  if (decision.do === "keep") return { do: decision.do, ...leftToOwner(workload) };
  if (decision.do !== "wait") return { do: decision.do };
  const refused = failure !== undefined && decision.until === failure.retryAt;
  const reason = refused ? failure.reason : due?.reason;
  const message = deferralText(reason, decision.record, workload);
  return {
    do: decision.do,
    reason,
    message: refused ? `retry after ${failure.reason}` : message,
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

/** The states of a record; see `STATES`. */
export function statesOf(record: WorkloadRecord): WorkloadState[] {
  const { due, phase } = record;
  const states: WorkloadState[] = [];
  if (record.staleSince !== undefined) states.push("stale");
  if (phase === "rolling" || phase === "pending") states.push("rolling");
  if (phase === "failed" || record.failure !== undefined) states.push("failed");
  if (record.throttle !== undefined) states.push("throttled");
  if (due?.reason === "Halted") states.push("halted");
  else if (due?.reason === "Frozen") states.push("frozen");
  else if (due !== undefined || record.hold !== undefined) states.push("waiting");
  return states.length === 0 ? ["current"] : states;
}

function rolloutView({ rollout, phase }: WorkloadRecord): Pick<WorkloadSummary, "rollout"> {
  if (rollout === undefined || (phase !== "rolling" && phase !== "pending")) return {};
  const { id, startedAt, deadline, stalled, cause } = rollout;
  return {
    rollout: {
      id,
      startedAt: isoTime(startedAt),
      deadline: isoTime(deadline),
      stalled: stalled === true,
      cause,
    },
  };
}

/** A record as the API returns it. */
export function summaryOf(record: WorkloadRecord, queue: string): WorkloadSummary {
  const { kind, namespace, name, staleSince, failure, last, hold } = record;
  const due = record.due ?? (hold === undefined ? undefined : { reason: hold });
  return {
    kind,
    namespace,
    name,
    queue,
    states: statesOf(record),
    staleSince: isoTime(staleSince),
    due:
      due === undefined
        ? undefined
        : {
            reason: due.reason,
            at: "at" in due ? isoTime(due.at) : undefined,
          },
    ...rolloutView(record),
    failure:
      failure === undefined
        ? undefined
        : {
            reason: failure.reason,
            message: failure.message,
            attempts: failure.attempts,
            retryAt: isoTime(failure.retryAt),
          },
    last:
      last === undefined
        ? undefined
        : { outcome: last.outcome, reason: last.reason, at: isoTime(last.time) },
  };
}
