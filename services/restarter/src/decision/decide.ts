import { stableId } from "@rollcast/shared/events";
import type { Cause } from "@rollcast/shared/events";
import { ABSENT, UNKNOWN, sourceKey } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { changesOf, closedGate } from "./blocking-gate.ts";
import { formatMarker, restartTime } from "../model/marker.ts";
import { cancelled, deferred, held, skipped, superseded } from "./outcomes.ts";
import { pace } from "./throttle.ts";
import { presentContents, verdicts } from "../model/policy.ts";
import type { Verdict } from "../model/policy.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { openRequest, withRequestsDone } from "./requests.ts";
import { advance } from "./advance.ts";
import { optInHash, reconcileEdit, reconcileRunning } from "./running.ts";
import type { Contents, Situation } from "./decision-input.ts";
import { madeAgain, takeOver } from "./patched.ts";
import type { Workload } from "../model/workload.ts";

/** `notify`: what would roll the workload is told and not done, in place of Reloader's webhook mode. */
const EFFECT = "rollcast.dev/effect";
const MAX_VERDICTS = 200;

/**
 * What to do now. `record` is the record as it should be; `changed` says whether that is another than the one given, so must be written first.
 * - `look-again`: the index is older than the record, or (`ask`) only the API server can tell.
 * - `keep`: nothing is to be patched.
 * - `skip`: a rollout is due and told, and not made (`mode: observe`).
 * - `wait`: a rollout is due at `until`.
 * - `roll`: patch what `record.rollout` says.
 */
export type Decision =
  | { readonly do: "look-again"; readonly ask: boolean }
  | { readonly do: "keep" | "skip"; readonly record: WorkloadRecord; readonly changed: boolean }
  | {
      readonly do: "wait";
      readonly record: WorkloadRecord;
      readonly changed: boolean;
      /** Absent where it waits for something to open. */
      readonly until: number | undefined;
    }
  | {
      readonly do: "roll";
      readonly record: WorkloadRecord & { rollout: Rollout };
      readonly changed: boolean;
    };

function fresh(s: Situation): WorkloadRecord {
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

function differing(s: Situation, running: Contents, present: Contents): SourceKey[] {
  return (Object.keys(present) as SourceKey[]).filter((key) => {
    const wanted = present[key];
    if (wanted === undefined || wanted.digest === running[key]?.digest) return false;
    // A source that is gone is no content to roll to, unless asked for: what runs stays known, so that its return with the same data is no change.
    return wanted.digest !== ABSENT || deletionCounts(s, key, running[key]?.digest);
  });
}

/** A record that went away, or a source that was never seen, is no deletion. */
function deletionCounts(s: Situation, key: SourceKey, running: string | undefined): boolean {
  const ran = running !== undefined && running !== UNKNOWN;
  return s.rules.onDelete && ran && s.sources.get(key)?.deletedAt !== undefined;
}

function causeOf(s: Situation, keys: readonly SourceKey[]): Cause | undefined {
  const sources = keys.map((key) => s.sources.get(key)).filter((one) => one !== undefined);
  const [newest] = sources.toSorted((a, b) => (b.changedAt ?? 0) - (a.changedAt ?? 0));
  if (newest === undefined) return undefined;
  const { kind, namespace, name, changedKeys, changedBy, changedAt } = newest;
  return {
    kind,
    namespace,
    name,
    ...(changedKeys === undefined ? {} : { changedKeys }),
    ...(changedBy === undefined ? {} : { changedBy }),
    ...(changedAt === undefined ? {} : { changedAt: new Date(changedAt).toISOString() }),
  };
}

/** A hash of contents that is the same for the same sources, keys and digests. */
export function contentsHash(contents: Readonly<Record<string, Content>>): string {
  const pairs = Object.entries(contents)
    .map(([key, { keys, digest }]) => [key, keys, digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return stableId(JSON.stringify(pairs));
}

/** How many workloads the cause rolls; where nothing is known of it, nothing is said. */
function affectedBy(s: Situation, cause: Cause | undefined): { affected?: number } {
  if (cause === undefined) return {};
  const key = sourceKey(cause.kind, cause.namespace, cause.name);
  const record = s.sources.get(key);
  // At least the one that rolls: the index may be a moment behind.
  return record === undefined ? {} : { affected: Math.max(1, s.affected(key, record)) };
}

function markerOf(workload: Workload, wanted: Contents, changedAt: number): string {
  if (workload.rollBy === "restart") return restartTime(changedAt, workload.marker);
  const plain = formatMarker(wanted, workload.namespace);
  // A template that already carries this very marker (a rollback) would not restart its pods for it.
  return workload.marker === plain
    ? formatMarker(wanted, workload.namespace, workload.generation)
    : plain;
}

function newRollout(s: Situation, record: WorkloadRecord, wanted: Contents, keys: SourceKey[]) {
  const { workload } = s;
  const cause = causeOf(s, keys);
  // One that was held up in the middle is the same one: what it has done already is found by its id.
  const heldUp = record.phase === "deferred" && record.held !== undefined;
  const pending = record.phase === "pending" || heldUp ? record.rollout : undefined;
  const changedAt = cause?.changedAt === undefined ? undefined : Date.parse(cause.changedAt);
  const rollout: Rollout = {
    id: pending?.id ?? s.newId,
    wanted,
    changed: keys.length,
    guard: workload.generation,
    marker: markerOf(workload, wanted, changedAt ?? s.now),
    templateHash: workload.templateHash,
    decidedAt: pending?.decidedAt ?? s.now,
    queue: s.gates.queue,
    ...(s.gates.slot === "none" ? {} : { slot: true }),
    changes: changesOf(s.sources, keys),
    ...(cause === undefined ? {} : { cause }),
    ...(keys.length === 0 ? { requestedBy: openRequest(record)?.by ?? "" } : {}),
    ...(changedAt === undefined ? {} : { changedAt }),
    ...(workload.revision === undefined ? {} : { revision: workload.revision }),
    ...affectedBy(s, cause),
  };
  return rollout;
}

function settled(record: WorkloadRecord): WorkloadRecord {
  const {
    due: _due,
    held: _held,
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

function changedFrom(before: WorkloadRecord | undefined, after: WorkloadRecord): boolean {
  return before === undefined || JSON.stringify(before) !== JSON.stringify(after);
}

/** Why the rollout is told and not made, or undefined: it is made. */
export function onlyTold({
  mode,
  workload,
}: Pick<Situation, "mode" | "workload">): "observe" | "notify" | undefined {
  if (mode === "observe") return "observe";
  const effect = workload.annotations[EFFECT] ?? workload.templateAnnotations[EFFECT];
  return effect === "notify" ? "notify" : undefined;
}

/** Whether a rollout was begun that can only be gone on with: nobody edited the workload since, or (a Job is run) that does not matter. */
function begun({ workload }: Situation, record: WorkloadRecord, rollout: Rollout): boolean {
  if (record.phase !== "pending") return false;
  return rollout.guard === workload.generation || workload.rollBy === "job";
}

/** The record without what was kept to make the workload again: it is still there. */
function notBegun(record: WorkloadRecord): WorkloadRecord {
  const { recreate: _, ...rest } = record;
  return rest;
}

/** Why a rollout must wait for the workload. */
function heldBy({ workload }: Situation, record: WorkloadRecord): string | undefined {
  const runs = workload.exclusive === true && record.phase === "rolling";
  return workload.hold ?? (runs ? "Running" : undefined);
}

function decideRoll(
  s: Situation,
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
  const done = (next: WorkloadRecord) => changedFrom(s.record, next);

  const told = onlyTold(s);
  const answered = { ...record, ...withRequestsDone(record) };
  if (told !== undefined) {
    if (record.observed === hash) return { do: "keep", record: answered, changed: done(answered) };
    const cause = causeOf(s, keys);
    const next = skipped({ ...answered, observed: hash }, told, cause, s.now, s.newId);
    return { do: "skip", record: next, changed: true };
  }
  const changes = changesOf(s.sources, keys);
  const gate = closedGate(s.gates, changes);
  const waits = heldBy(s, record);
  if (waits !== undefined) {
    // A Job that is suspended starts its pods later, with what is there then.
    const passed = workload.rollBy === "recreate";
    const cause = causeOf(s, keys);
    const next = passed
      ? skipped(settled({ ...answered, running: wanted }), waits, cause, s.now, s.newId)
      : held(notBegun(record), waits, cause, s);
    return { do: "keep", record: next, changed: done(next) };
  }
  if (rollout !== undefined && begun(s, record, rollout) && contentsHash(rollout.wanted) === hash) {
    // Its patch may have been made: whoever finds the workload past the guard must find this rollout in the record.
    const isHeld = gate !== undefined || s.gates.slot === "full";
    if (isHeld) return { do: "wait", record, changed: done(record), until: gate?.at };
    return { do: "roll", record: { ...record, rollout }, changed: done(record) };
  }
  const refusedAsIs = failure?.wanted === hash && failure.generation === workload.generation;
  if (refusedAsIs && failure.retryAt > s.now) {
    return { do: "wait", record, changed: done(record), until: failure.retryAt };
  }
  // Who asks for a rollout now is not put off for the workload's own pace.
  const asked = openRequest(record) !== undefined;
  const wait =
    gate ??
    (asked ? undefined : pace(workload, record, s.breaker, s.now)) ??
    (s.gates.slot === "full" ? ({ reason: "max-rolling" } as const) : undefined);
  if (wait !== undefined) {
    const next = deferred(record, { wait, cause: causeOf(s, keys), changes }, s.now, s.newId);
    return { do: "wait", record: next, changed: done(next), until: wait.at };
  }
  let base = notBegun(record);
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

/** Which check decided on each source, for who asks why, at most 200. */
function keptVerdicts(judged: ReadonlyMap<SourceKey, Verdict>): Record<string, string> {
  const found = [...judged].map(([key, { check }]) => [key, check] as const);
  return Object.fromEntries(found.slice(0, MAX_VERDICTS));
}

/**
 * Decides what is to be done with a workload, from present state alone: the same situation gives the same decision whatever event, retry or
 * sweep asked. Pure.
 */
export function decide(s: Situation): Decision {
  const { workload } = s;
  const known = s.record?.uid === workload.uid ? s.record : madeAgain(s);
  if (!s.trusted && s.record !== undefined) {
    // Which of two uids is the newer one, only the API server can tell.
    if (known === undefined) return { do: "look-again", ask: true };
    if (workload.generation < known.generation) return { do: "look-again", ask: false };
  }
  const judged = verdicts(workload, s.sources, s.rules);
  const present = presentContents(workload, s.sources, judged);
  let record = takeOver(s, known ?? fresh(s));
  record = advance(record, workload, s.now, s.job);
  record = reconcileEdit(s, record, present);
  record = {
    ...record,
    running: reconcileRunning(s, record, present),
    generation: workload.generation,
    optIn: optInHash(workload),
    verdicts: keptVerdicts(judged),
  };
  const keys = differing(s, record.running as Contents, present);
  if (keys.length > 0) {
    const changedAt = Date.parse(causeOf(s, keys)?.changedAt ?? "");
    const since = record.staleSince ?? (Number.isNaN(changedAt) ? s.now : changedAt);
    return decideRoll(s, { ...record, staleSince: since }, present, keys);
  }
  if (openRequest(record) !== undefined) return decideRoll(s, record, present, keys);
  const kept = settled(record);
  return { do: "keep", record: kept, changed: changedFrom(s.record, kept) };
}
