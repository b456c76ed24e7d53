import type { RolloutStatus } from "@rollcast/kube/workloads/kind";
import { stableId } from "@rollcast/shared/events";
import type { Cause } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import {
  contentsHash,
  formatMarker,
  keysApart,
  markerHash,
  restartTime,
  sourceKey,
  unknownContents,
} from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { changesOf } from "../model/control-entry.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { isAtRest } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { Contents, DecisionInput, RolloutJob } from "./decision.ts";
import { failed, jobGone, stalled, succeeded, superseded } from "./outcomes.ts";
import { lastChange, newestChange } from "./running-content.ts";

const MAX_REQUESTS = 8;

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
    requests: [...before, { ...request, done: false }].slice(-MAX_REQUESTS),
  };
}

/** The record after a rollout began: it fulfils every open request. */
export function withRequestsDone(record: WorkloadRecord): Pick<WorkloadRecord, "requests"> {
  if (record.requests === undefined) return {};
  return { requests: record.requests.map((request) => ({ ...request, done: true })) };
}

/** The rollout that a record has decided on, also while it must wait, and not recorded as begun. */
export function decidedRollout({ phase, rollout }: WorkloadRecord): Rollout | undefined {
  return phase === "pending" || phase === "deferred" ? rollout : undefined;
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
  const { kind, namespace, name, changedKeys, changedBy, changedAt: at } = newest;
  const changedAt = at === undefined ? undefined : new Date(at).toISOString();
  return { kind, namespace, name, changedKeys, changedBy, changedAt };
}

/** How many workloads the cause rolls; omitted if unknown. */
function affectedBy(s: DecisionInput, cause: Cause | undefined): { affected?: number } {
  if (cause === undefined) return {};
  const key = sourceKey(cause.kind, cause.namespace, cause.name);
  const record = s.sources.get(key);
  // At least this workload: the index may lag.
  return record === undefined ? {} : { affected: Math.max(1, s.affected(key, record)) };
}

/** Times that the API server gives have whole seconds. */
const SECOND_MS = 1_000;

/**
 * The latest time at which one of the sources can have got its present content; now, where none is
 * what the rollout is for. Content that came back counts as well: pods may have begun in between.
 */
function latestChange(s: DecisionInput, wanted: Contents, changed: readonly SourceKey[]): number {
  const keys = changed.length === 0 ? [] : (Object.keys(wanted) as SourceKey[]);
  const times = keys.map((key) => {
    const { createdAt, deletedAt = 0 } = s.sources.get(key) ?? {};
    const created = createdAt === undefined ? 0 : createdAt + SECOND_MS;
    return Math.max(lastChange(s, key) ?? created, deletedAt);
  });
  const latest = Math.max(0, ...times);
  return latest === 0 ? s.now : latest;
}

function markerOf(
  s: DecisionInput,
  record: WorkloadRecord,
  wanted: Contents,
  keys: readonly SourceKey[],
): string {
  const { workload } = s;
  if (workload.rollBy === "restart")
    return restartTime(latestChange(s, wanted, keys), workload.marker);
  const plain = formatMarker(wanted, workload.namespace);
  // If the template already has this marker (a rollback), writing it again would not restart its
  // pods. While pods of an earlier marker may be left, they must not count as those of this one.
  const arePodsLeft =
    record.phase === "rolling" ||
    record.phase === "failed" ||
    record.partial === true ||
    record.earlier !== undefined ||
    record.stripped !== undefined ||
    workload.leftPods !== undefined ||
    // Another installation ended our last rollout, wherever that was.
    keysApart(plain, workload.marker) !== undefined;
  return workload.marker === plain || arePodsLeft
    ? formatMarker(wanted, workload.namespace, workload.generation)
    : plain;
}

export function newRollout(
  s: DecisionInput,
  record: WorkloadRecord,
  wanted: Contents,
  keys: SourceKey[],
): Rollout {
  const { workload } = s;
  const cause = causeOf(s, keys);
  // An interrupted rollout keeps its id, so that what it has done already is detected.
  const before = decidedRollout(record);
  // With other content it is another one: both may have been applied.
  const isSame = before !== undefined && contentsHash(before.wanted) === contentsHash(wanted);
  const pending = isSame ? before : undefined;
  return {
    id: pending?.id ?? s.newId,
    wanted,
    changed: keys.length,
    guard: workload.generation,
    marker: markerOf(s, record, wanted, keys),
    templateHash: workload.templateHash,
    replaced: isAtRest(workload) ? workload.templateHash : undefined,
    decidedAt: pending?.decidedAt ?? s.now,
    queue: s.admission.queue,
    quota: s.admission.quota === "none" ? undefined : true,
    changes: changesOf(s.sources, keys),
    cause,
    requestedBy: keys.length === 0 ? (openRequest(record)?.by ?? "") : undefined,
    changedAt: newestChange(s, keys),
    ...(typeof workload.revision === "string"
      ? { templateId: workload.revision }
      : { revision: workload.revision }),
    // A Job that is made again has a status of its own.
    failedBefore: workload.rollBy === "recreate" ? undefined : failureId(workload.status),
    ...affectedBy(s, cause),
  };
}

/** Identifies a failure that a status tells of, also of one that is of an earlier generation. */
export function failureId(status: RolloutStatus): string | undefined {
  if (status.state === "unobserved" && status.before !== undefined) return failureId(status.before);
  if (status.state !== "failed") return undefined;
  return stableId(status.reason, status.condition ?? status.message);
}

const PROGRESSING = { state: "progressing" } as const;
const DONE: RolloutStatus = { state: "complete" };

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
  // An index entry from before the patch is too old.
  if (workload.uid !== record.uid || workload.generation < rollout.generation) return record;
  // Its pods are let go as they are, and its status no longer counts them; a Job's end stays.
  if (workload.orphans === true && workload.finished !== true) return record;
  if (rollout.job !== undefined) {
    if (job === "gone") return jobGone(record, rollout, now);
    return withStatus(record, rollout, job?.status ?? PROGRESSING, now);
  }
  const isEdited = workload.templateHash !== rollout.templateHash;
  if (isEdited && restartsAll(rollout, workload)) return record;
  // A Job that was made again is identified by another annotation.
  const isMarked = workload.rollBy === "recreate" || workload.marker === rollout.marker;
  if (!isMarked) return withoutMarker(record, rollout, workload, now);
  if (isEdited) return record;
  const status = statusOf(rollout, workload);
  if (status.state === "complete") return succeeded(record, rollout, status, now);
  if (workload.paused) return withoutDeadline(record, rollout);
  if (rollout.deadline === undefined && rollout.stallTimeout !== undefined) {
    return { ...record, rollout: { ...rollout, deadline: now + rollout.stallTimeout } };
  }
  return withStatus(record, rollout, status, now);
}

/**
 * Whether no pod can have the template that somebody edited in the middle of a rollout. One of
 * before may be brought back, and its pods be kept; a restart by its time is undone with that.
 */
function restartsAll({ replaced }: Rollout, { rollBy, templateHash }: Workload): boolean {
  if (rollBy === "restart") return false;
  return rollBy !== "patch" || (replaced !== undefined && replaced !== templateHash);
}

/**
 * The record of a rollout whose marker is no longer on the template: pods that were not replaced
 * yet are kept, so nobody knows what they run. If Rollcast itself wrote the other marker, it was a
 * later rollout that the record does not have, or one of another installation.
 */
function withoutMarker(
  record: WorkloadRecord,
  rollout: Rollout,
  workload: Workload,
  now: number,
): WorkloadRecord {
  const { editor, marker, marks, ownsMarker, templateHash } = workload;
  if (ownsMarker === true) {
    const keys = keysApart(rollout.marker, marker);
    if (keys === undefined) return superseded(record, rollout, "NewerContent", now);
    // It restarts every pod once more, so all of them start after our patch.
    const both = `another installation of Rollcast, with the key ${keys.other}, rolled the workload in the middle of the rollout; the key of this one is ${keys.mine}`;
    return superseded(record, rollout, "OtherInstallation", now, both);
  }
  const isLate = editor !== undefined && editor.time + SECOND_MS > (rollout.startedAt ?? 0);
  const by = isLate ? `, last written by field manager ${editor.manager}` : "";
  const how = marker === undefined ? "taken off" : "replaced on";
  const message = `Rollcast's annotation was ${how} the pod template in the middle of the rollout${by}`;
  const wanted = contentsHash(rollout.wanted);
  const before = record.stripped?.wanted === wanted ? record.stripped.count : 0;
  return {
    ...superseded(record, rollout, "MarkerRemoved", now, message),
    running: unknownContents(rollout.wanted),
    // What was edited with it restarts not all pods either.
    templateHash,
    marks: marks.reloader,
    marker: markerHash(workload),
    stripped: { wanted, count: before + 1, message },
  };
}

/**
 * Before the controller has begun our rollout, its status is about the previous one, unless it says
 * that none will begin.
 */
function statusOf(rollout: Rollout, { rollBy, status, revision }: Workload): RolloutStatus {
  if (status.state === "failed" && failureId(status) === rollout.failedBefore) {
    if (rollBy === "restart" && status.restarted === true) return DONE;
    // It is ours too where it is still there when the rollout is late.
    return { ...PROGRESSING, refused: { reason: status.reason, message: status.message } };
  }
  // A restart by its time begins no rollout of its own.
  if (rollBy === "restart") return status;
  const before = rollout.revision ?? rollout.templateId;
  if (before === undefined || revision === undefined) return status;
  const left = status.state === "complete" && status.reason !== undefined;
  const areCounted = typeof revision === "number" && typeof before === "number";
  const isBegun = areCounted ? revision > before : revision !== before;
  return isBegun || left ? status : PROGRESSING;
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
  if (!late) return record;
  if (status.refused !== undefined) return failed(record, rollout, status.refused, now);
  return rollout.stalled === true ? record : stalled(record, rollout, status.message, now);
}
