import {
  ABSENT,
  UNKNOWN,
  contentsHash,
  markerHash,
  optInHash,
  restartHash,
} from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { deferred, hold, skipped, superseded, withoutPlan } from "./outcomes.ts";
import { boundedVerdicts, presentContents, verdicts } from "../model/verdict.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import {
  adoptPatched,
  cancelledWith,
  isDeletionOver,
  keepUnconfirmed,
  recreatedBefore,
  withPartial,
} from "./applied.ts";
import { advance, causeOf, newRollout, openRequest, withRequestsDone } from "./rollout.ts";
import { reconcileEdit, rewound } from "./edited-content.ts";
import { newestChange, reconcileRunning, stillThere } from "./running-content.ts";
import type { Contents, Decision, DecisionInput, Delay } from "./decision.ts";
import { blockingGate, throttle } from "./blocking-gate.ts";
import { changesOf } from "../model/control-entry.ts";
import { isEdited, leftToOwner, reportOnly } from "../model/workload.ts";

function newRecord(s: DecisionInput): WorkloadRecord {
  const { workload, record } = s;
  const { outbox } =
    record === undefined ? { outbox: [] } : cancelledWith(record, "Recreated", s.now);
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
    marker: markerHash(workload),
    marks: workload.marks.reloader,
    editedVersion: workload.createdVersion,
    history: [],
    outbox,
  };
}

/**
 * Decides what to do with a workload from present state alone: the same input gives the same
 * decision, whichever event, retry or resync triggered it. Pure.
 */
export function decide(s: DecisionInput): Decision {
  const decision = decideNow(s);
  if (decision.do === "requeue") return decision;
  const record = withPartial(s, keepUnconfirmed(s, decision.record));
  const changed = s.record === undefined || textOf(s.record) !== textOf(record);
  const dated = changed ? { ...record, decidedAt: s.now } : record;
  return { ...decision, record: dated, changed } as Decision;
}

/** A decision of which nobody has asked yet whether its record has changed. */
type Decided = Decision extends infer Each
  ? Each extends unknown
    ? Omit<Each, "changed">
    : never
  : never;

function decideNow(s: DecisionInput): Decided {
  const { workload } = s;
  const existing = s.record?.uid === workload.uid ? s.record : recreatedBefore(s);
  if (!s.trusted && s.record !== undefined) {
    // Only the API server knows which of two uids is newer.
    if (existing === undefined) return { do: "requeue", refetch: true };
    if (workload.generation < existing.generation) return { do: "requeue", refetch: false };
  }
  // Only its watch says whether it was made or edited before a change of the same second.
  const isNew = existing === undefined || existing.templateHash !== workload.templateHash;
  if (!s.trusted && workload.isAhead === true && isNew) return { do: "requeue", refetch: false };
  const verdictBySource = verdicts(workload, s.sources, s.rules);
  const present = presentContents(workload, s.sources, verdictBySource);
  const isOlder = existing !== undefined && workload.generation < existing.generation;
  const existingOrNew = isOlder ? rewound(s, existing) : (existing ?? newRecord(s));
  let record = adoptPatched(s, existingOrNew);
  record = advance(record, workload, s.now, s.job);
  if (isEdited(record, workload)) record = reconcileEdit(s, record, present);
  record = {
    ...record,
    running: reconcileRunning(s, record, present),
    generation: workload.generation,
    marker: markerHash(workload),
    restarted: restartHash(workload),
    optIn: optInHash(workload),
    verdicts: boundedVerdicts(verdictBySource),
  };
  const keys = differing(s, record.running as Contents, present);
  if (keys.length > 0) {
    const since = record.staleSince ?? newestChange(s, keys) ?? s.now;
    return decideRoll(s, { ...record, staleSince: since }, present, keys);
  }
  if (workload.mayRoll && openRequest(record) !== undefined)
    return decideRoll(s, record, present, keys);
  const kept = withoutDeferral(record);
  return { do: "keep", record: existing === undefined ? kept : planOver(s, existing, kept) };
}

/** The record where nothing is due any more. */
function planOver(s: DecisionInput, before: WorkloadRecord, record: WorkloadRecord) {
  // It ends with the record, once no patch of it can be done any more.
  if (!s.workload.mayRoll) return record;
  // The end of a rollout that is under way is that of its changes too.
  if (before.phase === "rolling") return { ...record, planned: undefined };
  const isEdited = record.templateHash !== before.templateHash || record.marker !== before.marker;
  const reason = isEdited ? "TemplateChanged" : "NewerContent";
  return withoutPlan(record, "superseded", reason, s.now);
}

function differing(s: DecisionInput, running: Contents, present: Contents): SourceKey[] {
  return (Object.keys(present) as SourceKey[]).filter((key) => {
    const wanted = present[key];
    if (wanted === undefined || wanted.digest === running[key]?.digest) return false;
    // By default a deleted source causes no rollout. What runs is kept, so that its return with the
    // same data is no change.
    return wanted.digest !== ABSENT || deletionCounts(s, key, running[key]?.digest);
  });
}

/** An expired record, or a source never observed, is not a deletion. */
function deletionCounts(s: DecisionInput, key: SourceKey, running: string | undefined): boolean {
  const ran = running !== undefined && running !== UNKNOWN;
  return s.rules.onDelete && ran && s.sources.get(key)?.deletedAt !== undefined;
}

/**
 * The throttle of a record whose deferral is over. A loop that was slowed down stays slow, and is
 * not reported again, if an edit by others has brought what was due.
 */
function throttleAfterWait({ due, history, throttle: present }: WorkloadRecord) {
  const last = history.at(-1);
  if (present !== undefined || due?.reason !== "Throttled" || due.at === undefined) return {};
  return last === undefined ? {} : { throttle: { interval: due.at - last } };
}

function withoutDeferral(record: WorkloadRecord): WorkloadRecord {
  const { due: _due, hold: _hold, failure, staleSince: _staleSince, ...rest } = record;
  if (record.phase === "pending" || record.phase === "deferred") {
    const { rollout: _rollout, stripped: _stripped, ...without } = rest;
    // What is wanted again is what has failed, and its pods have not recovered.
    const isFailed =
      record.partial === true && record.last?.outcome === "failed" && failure === undefined;
    return { ...without, ...throttleAfterWait(record), phase: isFailed ? "failed" : "current" };
  }
  if (record.phase === "failed" && failure !== undefined) return { ...rest, phase: "current" };
  return rest;
}

/** A record as it is written, in an order of its own: one that is read has that of the schema. */
function textOf(record: WorkloadRecord): string {
  const entries = Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(entries));
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

/** Why a rollout must wait for the workload. */
function holdReason(s: DecisionInput, record: WorkloadRecord): string | undefined {
  const { workload } = s;
  // A template that is only marked runs nothing.
  if (workload.hold === "Running" && workload.rollBy === "patch") return undefined;
  // Its controller makes a Job first, and then lists it as active.
  const isRunning = record.phase === "rolling" || s.isRunning === true;
  const isAlone = workload.exclusive === true && isRunning;
  // A tool that waits for a hook takes its deletion for its end.
  const isAwaited = workload.hook === true && workload.finished !== true;
  return workload.hold ?? (isAlone || isAwaited ? "Running" : undefined);
}

const MAX_ROLLING = { reason: "MaxRolling" } as const;

/** So many rollouts in a row whose marker is taken off, and the next is not tried by itself. */
const MAX_STRIPPED = 3;

export const STRIPPED = "MarkerStripped";

/** Why content whose marker is taken off again and again is not rolled. */
export function strippedText({ stripped }: WorkloadRecord): string | undefined {
  return stripped === undefined
    ? undefined
    : `${stripped.count} times in a row: ${stripped.message}`;
}

function strippedOf(record: WorkloadRecord, wanted: string): Delay | undefined {
  const { stripped } = record;
  if (stripped?.wanted !== wanted || stripped.count < MAX_STRIPPED) return undefined;
  return { reason: STRIPPED, message: strippedText(record) };
}

function decideRoll(
  s: DecisionInput,
  record: WorkloadRecord,
  present: Contents,
  keys: SourceKey[],
): Decided {
  const { workload } = s;
  const wanted = { ...(record.running as Contents), ...stillThere(record, present) };
  for (const key of keys) {
    const content = present[key] as Content;
    wanted[key] = content.digest === ABSENT ? { ...content, since: s.now } : content;
  }
  const hash = contentsHash(wanted);
  const { rollout, failure } = record;

  const owned = leftToOwner(workload);
  const reportReason = reportOnly(s);
  const fulfilled = { ...record, ...withRequestsDone(record) };
  // Its pods keep what they began with. One that is suspended begins with what is there then.
  if (owned !== undefined && workload.hold === undefined) {
    const left = withoutDeferral(fulfilled);
    if (record.reported === hash) return { do: "keep", record: planOver(s, record, left) };
    const next = { ...left, reported: hash };
    return { do: "keep", record: skipped(next, owned, causeOf(s, keys), s.now, s.newId) };
  }
  if (reportReason !== undefined) {
    if (record.reported === hash) return { do: "keep", record: planOver(s, record, fulfilled) };
    const cause = causeOf(s, keys);
    const why = { reason: reportReason };
    const next = skipped({ ...fulfilled, reported: hash }, why, cause, s.now, s.newId);
    return { do: "skip", record: next };
  }
  const changes = changesOf(s.sources, keys);
  const wait = (delay: Delay): Decided => {
    const why = { wait: delay, cause: causeOf(s, keys), changes };
    return { do: "wait", record: deferred(record, why, s.now, s.newId), until: delay.at };
  };
  const gate = blockingGate(s.admission, changes);
  const full = s.admission.quota === "full" ? MAX_ROLLING : undefined;
  const waits = holdReason(s, record);
  if (waits !== undefined) {
    // A suspended Job starts its pods later, with the content present then. It may be being
    // deleted, to be made again with that content.
    const isJob = workload.rollBy === "recreate" && waits === "Suspended";
    if (isJob && record.recreate !== undefined && !isDeletionOver(record, s.now)) {
      return { do: "keep", record };
    }
    const cause = causeOf(s, keys);
    const isPassed = isJob && workload.stopped === true;
    if (!isPassed) return { do: "keep", record: hold(record, waits, cause, s) };
    // It may have been resumed meanwhile, with pods of before the change.
    if (!s.trusted) return { do: "requeue", refetch: true };
    const left = withoutDeferral({ ...fulfilled, running: wanted });
    return { do: "keep", record: skipped(left, { reason: waits }, cause, s.now, s.newId) };
  }
  if (
    rollout !== undefined &&
    isInterrupted(s, record, rollout) &&
    contentsHash(rollout.wanted) === hash
  ) {
    const blocked = gate ?? full;
    return blocked === undefined ? { do: "roll", record: { ...record, rollout } } : wait(blocked);
  }
  const refusedAsIs = failure?.wanted === hash && failure.generation === workload.generation;
  if (refusedAsIs && failure.retryAt > s.now) {
    return { do: "wait", record, until: failure.retryAt };
  }
  // A requested rollout ignores the workload's own throttling.
  const requested = openRequest(record) !== undefined;
  const later =
    gate ??
    (requested ? undefined : strippedOf(record, hash)) ??
    (requested ? undefined : throttle(workload, record, s.breaker, s.now)) ??
    full;
  if (later !== undefined) return wait(later);
  let base = record;
  if (record.phase === "rolling" && rollout !== undefined) {
    const reason = keys.length === 0 ? "Requested" : "NewerContent";
    base = superseded(base, rollout, reason, s.now);
  }
  const pending = {
    ...base,
    phase: "pending" as const,
    rollout: newRollout(s, record, wanted, keys),
  };
  return { do: "roll", record: pending };
}
