import { stableId } from "@rollcast/shared/events";
import type { Cause } from "@rollcast/shared/events";
import { ABSENT } from "./content.ts";
import type { Content, SourceKey } from "./content.ts";
import { formatMarker } from "./marker.ts";
import { cancelled, deferred, skipped, started, superseded } from "./outcomes.ts";
import { pace, paceAfterStart } from "./pace.ts";
import { presentContents } from "./policy.ts";
import type { Rollout, WorkloadRecord } from "./record.ts";
import { advance } from "./advance.ts";
import { reconcileEdit, reconcileRunning } from "./running.ts";
import type { Contents, Situation } from "./situation.ts";

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
      readonly until: number;
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
    history: [],
    outbox: overtaken,
  };
}

/** A record whose patch was made by somebody who died before writing so. */
function takeOver(s: Situation, record: WorkloadRecord): WorkloadRecord {
  const { rollout } = record;
  if (record.phase !== "pending" || rollout === undefined) return record;
  const patched = s.workload.generation > rollout.guard && s.workload.marker === rollout.marker;
  if (!patched) return record;
  const next = patchedRecord(s, record, rollout, s.workload.generation);
  return { ...next, outbox: [...next.outbox, started(next, next.rollout ?? rollout)] };
}

/** The record after its rollout's patch was made, which gave the workload `generation`. */
export function patchedRecord(
  s: Pick<Situation, "workload" | "now" | "breaker" | "stalledAfterMs">,
  record: WorkloadRecord,
  rollout: Rollout,
  generation: number,
): WorkloadRecord {
  const {
    due: _due,
    failure: _failure,
    throttle: _throttle,
    staleSince: _staleSince,
    ...rest
  } = record;
  return {
    ...rest,
    ...paceAfterStart(record, s.breaker, s.now),
    phase: "rolling",
    running: rollout.wanted,
    generation,
    templateHash: rollout.templateHash,
    rollout: {
      ...rollout,
      generation,
      startedAt: s.now,
      deadline: s.now + (s.workload.deadlineMs ?? s.stalledAfterMs),
    },
  };
}

function differing(running: Contents, present: Contents): SourceKey[] {
  return (Object.keys(present) as SourceKey[]).filter((key) => {
    const wanted = present[key];
    // A source that is gone is no content to roll to: what runs stays known, so that its return with the same data is no change.
    return (
      wanted !== undefined && wanted.digest !== ABSENT && wanted.digest !== running[key]?.digest
    );
  });
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

function newRollout(s: Situation, record: WorkloadRecord, wanted: Contents, keys: SourceKey[]) {
  const { workload } = s;
  const plain = formatMarker(wanted, workload.namespace);
  const cause = causeOf(s, keys);
  const pending = record.phase === "pending" ? record.rollout : undefined;
  const changedAt = cause?.changedAt === undefined ? undefined : Date.parse(cause.changedAt);
  const rollout: Rollout = {
    id: pending?.id ?? s.newId,
    wanted,
    changed: keys.length,
    guard: workload.generation,
    // A template that already carries this very marker (a rollback) would not restart its pods for it.
    marker:
      workload.marker === plain
        ? formatMarker(wanted, workload.namespace, workload.generation)
        : plain,
    templateHash: workload.templateHash,
    decidedAt: pending?.decidedAt ?? s.now,
    ...(cause === undefined ? {} : { cause }),
    ...(changedAt === undefined ? {} : { changedAt }),
  };
  return rollout;
}

function settled(record: WorkloadRecord): WorkloadRecord {
  const { due: _due, failure, staleSince: _staleSince, ...rest } = record;
  if (record.phase === "pending") {
    const { rollout: _rollout, ...without } = rest;
    return { ...without, phase: "current" };
  }
  if (record.phase === "deferred") return { ...rest, phase: "current" };
  if (record.phase === "failed" && failure !== undefined) return { ...rest, phase: "current" };
  return rest;
}

function changedFrom(before: WorkloadRecord | undefined, after: WorkloadRecord): boolean {
  return before === undefined || JSON.stringify(before) !== JSON.stringify(after);
}

function decideRoll(
  s: Situation,
  record: WorkloadRecord,
  present: Contents,
  keys: SourceKey[],
): Decision {
  const { workload } = s;
  const wanted: Contents = { ...(record.running as Contents) };
  for (const key of keys) wanted[key] = present[key] as Content;
  const hash = contentsHash(wanted);
  const { rollout, failure } = record;
  const done = (next: WorkloadRecord) => changedFrom(s.record, next);

  if (workload.deleting) return { do: "keep", record, changed: done(record) };
  if (s.mode === "observe") {
    if (record.observed === hash) return { do: "keep", record, changed: done(record) };
    const cause = causeOf(s, keys);
    const next = skipped({ ...record, observed: hash }, "observe", cause, s.now, s.newId);
    return { do: "skip", record: next, changed: true };
  }
  if (
    record.phase === "pending" &&
    rollout !== undefined &&
    rollout.guard === workload.generation &&
    contentsHash(rollout.wanted) === hash
  ) {
    return { do: "roll", record: { ...record, rollout }, changed: done(record) };
  }
  const refusedAsIs = failure?.wanted === hash && failure.generation === workload.generation;
  if (refusedAsIs && failure.retryAt > s.now) {
    return { do: "wait", record, changed: done(record), until: failure.retryAt };
  }
  const wait = pace(workload, record, s.breaker, s.now);
  if (wait !== undefined) {
    const next = deferred(record, wait, causeOf(s, keys), s.now, s.newId);
    return { do: "wait", record: next, changed: done(next), until: wait.at };
  }
  let base = record;
  if (record.phase === "rolling" && rollout !== undefined) {
    base = superseded(record, rollout, "NewerContent", s.now);
  }
  const pending = {
    ...base,
    phase: "pending" as const,
    rollout: newRollout(s, record, wanted, keys),
  };
  return { do: "roll", record: pending, changed: true };
}

/**
 * Decides what is to be done with a workload, from present state alone: the same situation gives the same decision whatever event, retry or
 * sweep asked. Pure.
 */
export function decide(s: Situation): Decision {
  const { workload } = s;
  const known = s.record?.uid === workload.uid ? s.record : undefined;
  if (!s.trusted && s.record !== undefined) {
    // Which of two uids is the newer one, only the API server can tell.
    if (known === undefined) return { do: "look-again", ask: true };
    if (workload.generation < known.generation) return { do: "look-again", ask: false };
  }
  const present = presentContents(workload, s.sources);
  let record = takeOver(s, known ?? fresh(s));
  record = advance(record, workload, s.now);
  record = reconcileEdit(s, record, present);
  record = {
    ...record,
    running: reconcileRunning(s, record, present),
    generation: workload.generation,
  };
  const keys = differing(record.running as Contents, present);
  if (keys.length > 0) {
    const changedAt = Date.parse(causeOf(s, keys)?.changedAt ?? "");
    const since = record.staleSince ?? (Number.isNaN(changedAt) ? s.now : changedAt);
    return decideRoll(s, { ...record, staleSince: since }, present, keys);
  }
  const kept = settled(record);
  return { do: "keep", record: kept, changed: changedFrom(s.record, kept) };
}
