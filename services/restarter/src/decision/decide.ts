import type { SourceKey } from "../model/content.ts";
import { cancelled } from "./rollout-ends.ts";
import { presentContents, verdicts } from "../model/verdict.ts";
import type { Verdict } from "../model/verdict-checks.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { openRequest } from "./requests.ts";
import { advance } from "./advance.ts";
import { optInHash, reconcileRunning } from "./running-content.ts";
import { reconcileEdit } from "./edits.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";
import { recreatedBefore, adoptPatched } from "./patched.ts";
import type { Decision } from "./decision.ts";
import { differing } from "./contents.ts";
import { causeOf } from "./new-rollout.ts";
import { isChanged, decideRoll, withoutDeferral } from "./decide-rollout.ts";

const MAX_VERDICTS = 200;

function newRecord(s: DecisionInput): WorkloadRecord {
  const { workload, record } = s;
  const overtaken = record === undefined ? [] : [...record.outbox];
  if (record?.phase === "rolling" && record.rollout !== undefined) {
    overtaken.push(cancelled(record, record.rollout, "Recreated", s.now));
  }
  return {
    v: 1,
    kind: workload.kind,
    namespace: workload.namespace,
    name: workload.name,
    uid: workload.uid,
    phase: "current",
    running: {},
    generation: workload.generation,
    templateHash: workload.templateHash,
    marks: workload.marks.reloader,
    history: [],
    outbox: overtaken,
  };
}

/** Which check decided on each source, for the API; at most 200. */
function boundedVerdicts(verdictBySource: ReadonlyMap<SourceKey, Verdict>): Record<string, string> {
  const checks = [...verdictBySource].map(([key, { check }]) => [key, check] as const);
  return Object.fromEntries(checks.slice(0, MAX_VERDICTS));
}

/**
 * Decides what to do with a workload from present state alone: the same input gives the same
 * decision, whichever event, retry or resync triggered it. Pure.
 */
export function decide(s: DecisionInput): Decision {
  const { workload } = s;
  const existing = s.record?.uid === workload.uid ? s.record : recreatedBefore(s);
  if (!s.trusted && s.record !== undefined) {
    // Only the API server knows which of two uids is newer.
    if (existing === undefined) return { do: "requeue", refetch: true };
    if (workload.generation < existing.generation) return { do: "requeue", refetch: false };
  }
  const verdictBySource = verdicts(workload, s.sources, s.rules);
  const present = presentContents(workload, s.sources, verdictBySource);
  let record = adoptPatched(s, existing ?? newRecord(s));
  record = advance(record, workload, s.now, s.job);
  record = reconcileEdit(s, record, present);
  record = {
    ...record,
    running: reconcileRunning(s, record, present),
    generation: workload.generation,
    optIn: optInHash(workload),
    verdicts: boundedVerdicts(verdictBySource),
  };
  const keys = differing(s, record.running as Contents, present);
  if (keys.length > 0) {
    const changedAt = Date.parse(causeOf(s, keys)?.changedAt ?? "");
    const since = record.staleSince ?? (Number.isNaN(changedAt) ? s.now : changedAt);
    return decideRoll(s, { ...record, staleSince: since }, present, keys);
  }
  if (openRequest(record) !== undefined) return decideRoll(s, record, present, keys);
  const kept = withoutDeferral(record);
  return { do: "keep", record: kept, changed: isChanged(s.record, kept) };
}
