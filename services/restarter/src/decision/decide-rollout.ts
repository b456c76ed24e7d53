import { withRequestsDone } from "./requests.ts";
import { ABSENT } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { changesOf, blockingGate } from "./blocking-gate.ts";
import { skipped } from "./outcomes.ts";
import { deferred, hold } from "./deferrals.ts";
import { superseded } from "./rollout-ends.ts";
import { throttle } from "./throttle.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { openRequest } from "./requests.ts";
import type { Contents, DecisionInput } from "./decision-input.ts";
import type { Decision } from "./decision.ts";
import { contentsHash } from "./contents.ts";
import { causeOf, newRollout } from "./new-rollout.ts";

/**
 * `notify`: report what would roll the workload, do not roll it; replaces Reloader's webhook mode.
 */
const EFFECT = "rollcast.dev/effect";

export function withoutDeferral(record: WorkloadRecord): WorkloadRecord {
  const {
    due: _due,
    hold: _hold,
    recreate: _recreate,
    failure,
    staleSince: _staleSince,
    ...rest
  } = record;
  if (record.phase === "pending" || record.phase === "deferred") {
    const { rollout: _rollout, ...without } = rest;
    return { ...without, phase: "current" };
  }
  if (record.phase === "failed" && failure !== undefined) return { ...rest, phase: "current" };
  return rest;
}

export function isChanged(before: WorkloadRecord | undefined, after: WorkloadRecord): boolean {
  return before === undefined || JSON.stringify(before) !== JSON.stringify(after);
}

/** Why the rollout is only reported; undefined if it is to be made. */
export function reportOnly({
  mode,
  workload,
}: Pick<DecisionInput, "mode" | "workload">): "Observe" | "Notify" | undefined {
  if (mode === "observe") return "Observe";
  const effect = workload.annotations[EFFECT] ?? workload.templateAnnotations[EFFECT];
  return effect === "notify" ? "Notify" : undefined;
}

/**
 * Whether a begun rollout must continue: nobody has edited the workload since, or the edit does not
 * matter because a Job is run.
 */
function isInterrupted(
  { workload }: DecisionInput,
  record: WorkloadRecord,
  rollout: Rollout,
): boolean {
  if (record.phase !== "pending") return false;
  return rollout.guard === workload.generation || workload.rollBy === "job";
}

/** The record without the data to recreate the workload: it still exists. */
function withoutRecreate(record: WorkloadRecord): WorkloadRecord {
  const { recreate: _, ...rest } = record;
  return rest;
}

/** Why a rollout must wait for the workload. */
function holdReason({ workload }: DecisionInput, record: WorkloadRecord): string | undefined {
  const runs = workload.exclusive === true && record.phase === "rolling";
  return workload.hold ?? (runs ? "Running" : undefined);
}

export function decideRoll(
  s: DecisionInput,
  record: WorkloadRecord,
  present: Contents,
  keys: SourceKey[],
): Decision {
  const { workload } = s;
  const wanted: Contents = { ...(record.running as Contents) };
  for (const key of keys) {
    const content = present[key] as Content;
    wanted[key] = content.digest === ABSENT ? { ...content, since: s.now } : content;
  }
  const hash = contentsHash(wanted);
  const { rollout, failure } = record;
  const done = (next: WorkloadRecord) => isChanged(s.record, next);

  const reportReason = reportOnly(s);
  const fulfilled = { ...record, ...withRequestsDone(record) };
  if (reportReason !== undefined) {
    if (record.reported === hash)
      return { do: "keep", record: fulfilled, changed: done(fulfilled) };
    const cause = causeOf(s, keys);
    const next = skipped({ ...fulfilled, reported: hash }, reportReason, cause, s.now, s.newId);
    return { do: "skip", record: next, changed: true };
  }
  const changes = changesOf(s.sources, keys);
  const gate = blockingGate(s.admission, changes);
  const waits = holdReason(s, record);
  if (waits !== undefined) {
    // A suspended Job starts its pods later, with the content present then.
    const passed = workload.rollBy === "recreate";
    const cause = causeOf(s, keys);
    const next = passed
      ? skipped(withoutDeferral({ ...fulfilled, running: wanted }), waits, cause, s.now, s.newId)
      : hold(withoutRecreate(record), waits, cause, s);
    return { do: "keep", record: next, changed: done(next) };
  }
  if (
    rollout !== undefined &&
    isInterrupted(s, record, rollout) &&
    contentsHash(rollout.wanted) === hash
  ) {
    // Its patch may have been applied: a workload past the guard must find this rollout in its
    // record.
    const isBlocked = gate !== undefined || s.admission.quota === "full";
    if (isBlocked) return { do: "wait", record, changed: done(record), until: gate?.at };
    return { do: "roll", record: { ...record, rollout }, changed: done(record) };
  }
  const refusedAsIs = failure?.wanted === hash && failure.generation === workload.generation;
  if (refusedAsIs && failure.retryAt > s.now) {
    return { do: "wait", record, changed: done(record), until: failure.retryAt };
  }
  // A requested rollout ignores the workload's own throttling.
  const requested = openRequest(record) !== undefined;
  const wait =
    gate ??
    (requested ? undefined : throttle(workload, record, s.breaker, s.now)) ??
    (s.admission.quota === "full" ? ({ reason: "MaxRolling" } as const) : undefined);
  if (wait !== undefined) {
    const next = deferred(record, { wait, cause: causeOf(s, keys), changes }, s.now, s.newId);
    return { do: "wait", record: next, changed: done(next), until: wait.at };
  }
  let base = withoutRecreate(record);
  if (record.phase === "rolling" && rollout !== undefined) {
    const reason = keys.length === 0 ? "Requested" : "NewerContent";
    base = superseded(base, rollout, reason, s.now);
  }
  const pending = {
    ...base,
    phase: "pending" as const,
    rollout: newRollout(s, record, wanted, keys),
  };
  return { do: "roll", record: pending, changed: true };
}
