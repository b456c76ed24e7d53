import type { RolloutStatus } from "@rollcast/kube/workloads/kind";
import { stableId } from "@rollcast/shared/events";
import type { Cause } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { cancelled, failed, jobGone, stalled, started, succeeded } from "./outcomes.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput, RolloutJob } from "./decision.ts";
import type { Workload } from "../model/workload.ts";
import { throttleAfterStart } from "./blocking-gate.ts";
import { formatMarker, restartTime, sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { changesOf } from "../model/control-entry.ts";
import { lastChange, newestChange } from "./running-content.ts";

const UNKNOWN: RolloutStatus = { state: "progressing" };

/** A paused rollout makes no progress, so it cannot stall: its deadline starts anew on resume. */
function withoutDeadline(record: WorkloadRecord, rollout: Rollout): WorkloadRecord {
  if (rollout.deadline === undefined || rollout.stallTimeout === undefined) return record;
  const { deadline: _, ...rest } = rollout;
  return { ...record, rollout: rest };
}

/**
 * Advances the record of a rollout by the workload's status: ended if its controller finished or
 * failed, stalled at its deadline, else unchanged. `job` is the Job of a CronJob's rollout. Pure;
 * `now` in milliseconds since the epoch.
 */
export function advance(
  record: WorkloadRecord,
  workload: Workload,
  now: number,
  job?: RolloutJob,
): WorkloadRecord {
  const { rollout } = record;
  if (record.phase !== "rolling" || rollout?.generation === undefined) return record;
  // An index entry from before the patch is too old; an edited template is handled in edits.ts.
  if (workload.uid !== record.uid || workload.generation < rollout.generation) return record;
  if (rollout.job !== undefined) {
    if (job === "gone") return jobGone(record, rollout, now);
    return withStatus(record, rollout, job?.status ?? UNKNOWN, now);
  }
  if (workload.templateHash !== rollout.templateHash) return record;
  const status = statusOf(rollout, workload);
  if (status.state === "complete") return succeeded(record, rollout, status, now);
  if (workload.paused) return withoutDeadline(record, rollout);
  if (rollout.deadline === undefined && rollout.stallTimeout !== undefined) {
    return { ...record, rollout: { ...rollout, deadline: now + rollout.stallTimeout } };
  }
  return withStatus(record, rollout, status, now);
}

/**
 * The record of a workload that is gone: its rollout ends as the workload's last status says, else
 * it is cancelled. Pure; `now` in milliseconds since the epoch.
 */
export function advanceGone(
  record: WorkloadRecord,
  last: Workload | undefined,
  now: number,
): WorkloadRecord {
  const { rollout, ...rest } = record;
  if (record.phase !== "rolling" || rollout === undefined) return record;
  const advanced = last === undefined ? record : advance(record, last, now);
  if (advanced.phase !== "rolling") return advanced;
  const end = cancelled(record, rollout, "Deleted", now);
  return { ...rest, phase: "current", outbox: [...rest.outbox, end] };
}

/**
 * Before the controller has begun our rollout, its status is about the previous one, unless it says
 * that none will begin.
 */
function statusOf(rollout: Rollout, { status, revision }: Workload): RolloutStatus {
  if (rollout.revision === undefined || revision === undefined) return status;
  const left = status.state === "complete" && status.reason !== undefined;
  return revision > rollout.revision || left ? status : UNKNOWN;
}

function withStatus(
  record: WorkloadRecord,
  rollout: Rollout,
  status: RolloutStatus,
  now: number,
): WorkloadRecord {
  if (status.state === "complete") return succeeded(record, rollout, status, now);
  if (status.state === "failed") return failed(record, rollout, status, now);
  const late = rollout.deadline !== undefined && now > rollout.deadline;
  return late && rollout.stalled !== true ? stalled(record, rollout, now) : record;
}

/** Adopts a patch whose author crashed before recording it. */
export function adoptPatched(s: DecisionInput, record: WorkloadRecord): WorkloadRecord {
  const { rollout } = record;
  if (record.phase !== "pending" || rollout === undefined) return record;
  const patched = s.workload.generation > rollout.guard && s.workload.marker === rollout.marker;
  if (!patched) return record;
  const next = patchedRecord(s, record, rollout, s.workload.generation);
  return { ...next, outbox: [...next.outbox, started(next, next.rollout ?? rollout)] };
}

/**
 * The rollout that recreates a Job; after a refused attempt that was reported as failed, it has its
 * own id.
 */
export function recreation(
  record: WorkloadRecord & { recreate: NonNullable<WorkloadRecord["recreate"]> },
): Rollout {
  const { rollout } = record.recreate;
  const attempts = record.failure?.attempts;
  return attempts === undefined
    ? rollout
    : { ...rollout, id: stableId(rollout.id, String(attempts)) };
}

/**
 * The record of a Job that we deleted, continued for the Job that replaces it: our rollout's id
 * identifies it, under another uid.
 */
export function recreatedBefore(s: DecisionInput): WorkloadRecord | undefined {
  const { record, workload } = s;
  const { recreate } = record ?? {};
  if (record === undefined || recreate === undefined) return undefined;
  if (workload.madeBy !== recreate.rollout.id) return undefined;
  const next = recreatedRecord(s, { ...record, recreate });
  return next.rollout === undefined
    ? next
    : { ...next, outbox: [...next.outbox, started(next, next.rollout)] };
}

/** The record after a Job was recreated: `s.workload` is the new one. */
export function recreatedRecord(
  s: Pick<DecisionInput, "workload" | "now" | "breaker" | "stalledAfterMs">,
  record: WorkloadRecord & { recreate: NonNullable<WorkloadRecord["recreate"]> },
): WorkloadRecord {
  const { uid, templateHash, generation } = s.workload;
  const rollout = { ...recreation(record), templateHash };
  return patchedRecord(s, { ...record, uid }, rollout, generation);
}

/** The record after the rollout's patch gave the workload `generation`. */
export function patchedRecord(
  s: Pick<DecisionInput, "workload" | "now" | "breaker" | "stalledAfterMs">,
  record: WorkloadRecord,
  rollout: Rollout,
  generation: number,
): WorkloadRecord {
  const {
    due: _due,
    failure: _failure,
    throttle: _throttle,
    staleSince: _staleSince,
    hold: _hold,
    recreate: _recreate,
    ...rest
  } = record;
  const stallTimeout = s.workload.deadlineMs ?? s.stalledAfterMs;
  return {
    ...rest,
    ...throttleAfterStart(record, s.breaker, s.now),
    ...withRequestsDone(record),
    phase: "rolling",
    running: rollout.wanted,
    generation,
    templateHash: rollout.templateHash,
    marks: s.workload.marks.reloader,
    rollout: {
      ...rollout,
      generation,
      startedAt: s.now,
      stallTimeout,
      ...(s.workload.paused ? {} : { deadline: s.now + stallTimeout }),
    },
  };
}

/** When a source got its present content or was deleted; a creation's time has whole seconds. */
function contentSince({ changedAt, createdAt, deletedAt = 0 }: SourceRecord): number {
  // What is made again with the content of before was changed before it was created.
  return Math.max(changedAt ?? 0, createdAt, deletedAt);
}

/** The source that changed, was created or was deleted last. */
export function causeOf(s: DecisionInput, keys: readonly SourceKey[]): Cause | undefined {
  const sources = keys.map((key) => s.sources.get(key)).filter((source) => source !== undefined);
  const [newest] = sources.toSorted((a, b) => contentSince(b) - contentSince(a));
  if (newest === undefined) return undefined;
  const { kind, namespace, name, changedKeys, changedBy, changedAt } = newest;
  return {
    kind,
    namespace,
    name,
    changedKeys,
    changedBy,
    changedAt: changedAt === undefined ? undefined : new Date(changedAt).toISOString(),
  };
}

/** How many workloads the cause rolls; omitted if unknown. */
function affectedBy(s: DecisionInput, cause: Cause | undefined): { affected?: number } {
  if (cause === undefined) return {};
  const key = sourceKey(cause.kind, cause.namespace, cause.name);
  const record = s.sources.get(key);
  // At least this workload: the index may lag.
  return record === undefined ? {} : { affected: Math.max(1, s.affected(key, record)) };
}

/** A creation's time has whole seconds: it was within this time after it. */
const SECOND_MS = 1_000;

/** The latest time at which one of the sources can have got its present content. */
function latestChange(s: DecisionInput, keys: readonly SourceKey[]): number {
  const times = keys.map((key) => {
    const { createdAt, deletedAt = 0 } = s.sources.get(key) ?? {};
    const created = createdAt === undefined ? 0 : createdAt + SECOND_MS;
    return Math.max(lastChange(s, key) ?? created, deletedAt);
  });
  const latest = Math.max(0, ...times);
  return latest === 0 ? s.now : latest;
}

function markerOf(s: DecisionInput, wanted: Contents, keys: readonly SourceKey[]): string {
  const { workload } = s;
  if (workload.rollBy === "restart") return restartTime(latestChange(s, keys), workload.marker);
  const plain = formatMarker(wanted, workload.namespace);
  // If the template already has this marker (a rollback), writing it again would not restart its
  // pods.
  return workload.marker === plain
    ? formatMarker(wanted, workload.namespace, workload.generation)
    : plain;
}

export function newRollout(
  s: DecisionInput,
  record: WorkloadRecord,
  wanted: Contents,
  keys: SourceKey[],
) {
  const { workload } = s;
  const cause = causeOf(s, keys);
  // An interrupted rollout keeps its id, so that what it has done already is detected.
  const heldUp = record.phase === "deferred" && record.hold !== undefined;
  const pending = record.phase === "pending" || heldUp ? record.rollout : undefined;
  const rollout: Rollout = {
    id: pending?.id ?? s.newId,
    wanted,
    changed: keys.length,
    guard: workload.generation,
    marker: markerOf(s, wanted, keys),
    templateHash: workload.templateHash,
    decidedAt: pending?.decidedAt ?? s.now,
    queue: s.admission.queue,
    quota: s.admission.quota === "none" ? undefined : true,
    changes: changesOf(s.sources, keys),
    cause,
    requestedBy: keys.length === 0 ? (openRequest(record)?.by ?? "") : undefined,
    changedAt: newestChange(s, keys),
    revision: workload.revision,
    ...affectedBy(s, cause),
  };
  return rollout;
}

const KEPT = 8;

/** A requested rollout; its id makes repeated requests idempotent. */
type RolloutRequest = { readonly id: string; readonly by: string; readonly at: number };

/** The oldest open request. */
export function openRequest(record: WorkloadRecord): RolloutRequest | undefined {
  return record.requests?.find(({ done }) => !done);
}

/**
 * The record with the request added, to be tried now despite earlier failures; undefined if this
 * request was already recorded.
 */
export function withRequest(
  record: WorkloadRecord,
  request: RolloutRequest,
): WorkloadRecord | undefined {
  const before = record.requests ?? [];
  if (before.some(({ id }) => id === request.id)) return undefined;
  const { failure, ...rest } = record;
  return {
    ...rest,
    failure: failure === undefined ? undefined : { ...failure, retryAt: request.at },
    requests: [...before, { ...request, done: false }].slice(-KEPT),
  };
}

/** The record after a rollout began: it fulfils every open request. */
export function withRequestsDone(record: WorkloadRecord): Pick<WorkloadRecord, "requests"> {
  if (record.requests === undefined) return {};
  return { requests: record.requests.map((request) => ({ ...request, done: true })) };
}
