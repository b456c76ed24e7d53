import { parseTime } from "@rollcast/kube/object";
import type { SourceRecord } from "@rollcast/shared/records";
import { compareVersions } from "@rollcast/kube/resource-version";
import {
  ABSENT,
  UNKNOWN,
  comparable,
  isWrittenAnew,
  optInHash,
  parseMarker,
  recounted,
  splitSourceKey,
} from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Contents, DecisionInput } from "./decision.ts";
import type { Workload } from "../model/workload.ts";

/**
 * Whether a source that an existing workload lacked was created. After an installation or a wider
 * scope it is adopted instead, and so is one that is seen late: it is older than the workload.
 */
function createdSince(s: DecisionInput, key: SourceKey): boolean {
  const source = s.sources.get(key);
  if (!s.rules.onCreate || source === undefined || source.change === "none") return false;
  const { createdAt } = s.workload;
  return sameSecondOrEarlier(createdAt, source.createdAt) || isLaterByVersion(s, key);
}

/** Whether the source changed since (or while) its own annotations opted it in. */
function changedSinceAnnotated(s: DecisionInput, key: SourceKey): boolean {
  const { changedAt, annotatedAt } = s.sources.get(key) ?? {};
  return changedAt !== undefined && annotatedAt !== undefined && changedAt >= annotatedAt;
}

/** Whether the annotations and the template are still those of the record. */
function sameTemplateAndOptIn({ record, workload }: DecisionInput): boolean {
  return (
    record?.uid === workload.uid &&
    record.templateHash === workload.templateHash &&
    record.optIn === optInHash(workload)
  );
}

/**
 * Whether the source was gone before the workload was made: then no pod of it has had what was
 * before. Only a creation that the watch showed has a version to compare.
 */
function isGoneBefore(
  { createdAt, createdVersion }: Workload,
  { deletedAt, resourceVersion }: NonNullable<SourceRecord["tombstone"]>,
): boolean {
  if (createdVersion === undefined || !sameSecondOrEarlier(deletedAt, createdAt)) return false;
  return compareVersions(resourceVersion, createdVersion) < 0;
}

/** By which version an absent source was gone before the workload was made, if it was. */
function goneVersion(s: DecisionInput, key: SourceKey): { gone?: string } {
  const { deletedAt, resourceVersion } = s.sources.get(key) ?? {};
  if (deletedAt === undefined || resourceVersion === undefined) return {};
  return isGoneBefore(s.workload, { deletedAt, resourceVersion }) ? { gone: resourceVersion } : {};
}

/**
 * Whether the source's last change is its creation as far as the workload knows: it came back from
 * a deletion before the workload was made. With `reload.onCreate` that is due as any change.
 */
function isCreationFor(s: DecisionInput, key: SourceKey): boolean {
  const tombstone = s.sources.get(key)?.tombstone;
  return !s.rules.onCreate && tombstone !== undefined && isGoneBefore(s.workload, tombstone);
}

/** Whether pods that began by then lack a source, for it was created later. */
function isCreatedLater(s: DecisionInput, key: SourceKey, began: number): boolean {
  const source = s.sources.get(key);
  if (!s.rules.onCreate || source === undefined || source.change === "none") return false;
  if (s.workload.podsSince !== undefined) return source.createdAt > began;
  // What is created with it, in the same second, is there first or not by its version alone.
  return sameSecondOrEarlier(began, source.createdAt) && isLaterByVersion(s, key);
}

/** Whether Argo has been told to keep no pod that is older than the source's last change. */
function isBeforeRestart(s: DecisionInput, key: SourceKey): boolean {
  const restartedAt = s.workload.rollBy === "restart" ? parseTime(s.workload.marker) : undefined;
  return restartedAt !== undefined && (lastChange(s, key) ?? 0) <= restartedAt;
}

/** The content of pods started with the workload's present template, as far as known. */
function adopt(s: DecisionInput, key: SourceKey, present: Content): Content {
  const { workload } = s;
  if (present.digest === ABSENT) return { ...present, since: s.now, ...goneVersion(s, key) };
  // Later runs of a CronJob read the content present then.
  if (workload.rollBy === "job" || isCreationFor(s, key)) return present;
  const { changedAt } = s.sources.get(key) ?? {};
  const started = workload.podsSince ?? Math.max(workload.createdAt, workload.editedAt ?? 0);
  const young = workload.createdAt > s.installedAt;
  if (!young || isBeforeRestart(s, key)) return present;
  if (changedAt === undefined) {
    return isCreatedLater(s, key, started) ? { ...present, digest: UNKNOWN } : present;
  }
  if (isOlderThan(s, key, workload.createdVersion) === true) return present;
  // Only the watch shows which came first in the second of a creation.
  const isLater =
    workload.createdVersion === undefined
      ? changedAt >= started
      : !sameSecondOrEarlier(changedAt, started);
  const due = isLater || isLaterByVersion(s, key);
  return due ? { ...present, digest: UNKNOWN } : present;
}

function sameKeys(a: Content, b: Content): boolean {
  return JSON.stringify(a.keys) === JSON.stringify(b.keys);
}

/** What the marker says; whether the record is older than it, or there is none. */
type Marked = { readonly digests: ReadonlyMap<SourceKey, string>; readonly isNewer: boolean };

/**
 * The marker counts for a workload without a record, and where Rollcast wrote another one than the
 * record has, restarted it once more, or ran another Job: the record is older, as after a restore
 * of NATS.
 */
function markedBy(s: DecisionInput, present: WorkloadRecord): Marked {
  const { newestJob, record, workload } = s;
  const written = workload.rollBy === "restart" ? workload.restarted : workload.marker;
  const read = () => parseMarker(written, workload.namespace);
  if (record?.uid !== workload.uid) {
    // One that others have written, as an export or an undone rollout, was none of our rollouts.
    const isForeign = workload.rollBy === "patch" && workload.ownsMarker !== true;
    return { digests: isForeign ? new Map() : read(), isNewer: false };
  }
  if (newestJob !== undefined) {
    const isNewer = isRunSince(newestJob, present);
    const digests = isNewer ? parseMarker(newestJob.marker, workload.namespace) : new Map();
    return { digests, isNewer };
  }
  const isNewer = workload.generation > present.generation && isWrittenAnew(workload, present);
  return { digests: isNewer ? read() : new Map(), isNewer };
}

/**
 * Whether a CronJob's record is older than a Job that Rollcast has run: it has no rollout that made
 * it, and its last one had ended before. Creations have whole seconds.
 */
function isRunSince(
  { createdAt, madeBy = "" }: NonNullable<DecisionInput["newestJob"]>,
  { decidedAt = 0, ended = [], last, rollout, unconfirmed = [] }: WorkloadRecord,
): boolean {
  const own = rollout === undefined ? unconfirmed : [rollout, ...unconfirmed];
  const ids = own.flatMap(({ id, madeAs = id }) => [id, madeAs]);
  const isOwn = [...ids, ...ended].includes(madeBy);
  return !isOwn && sameSecondOrEarlier(last?.time ?? decidedAt, createdAt);
}

/**
 * The running content of one source: from the record, else the marker, else the present content.
 */
function runningNow(
  s: DecisionInput,
  key: SourceKey,
  recorded: Content | undefined,
  present: Content,
  marker: Marked,
): Content {
  const marked = marker.digests.get(key);
  if (marker.isNewer && marked !== undefined && comparable(marked, present.digest)) {
    return { ...present, digest: marked };
  }
  if (recorded === undefined) {
    if (marked !== undefined && present.digest !== ABSENT && comparable(marked, present.digest)) {
      return { ...present, digest: marked };
    }
    if (present.digest === ABSENT) return adopt(s, key, present);
    const newlyCounts = sameTemplateAndOptIn(s);
    // Our marker names every source that there was; one that came later is not in it.
    const isUnmarked = s.workload.ownsMarker === true && marker.digests.size > 0;
    const due =
      (newlyCounts && (createdSince(s, key) || changedSinceAnnotated(s, key))) ||
      (isUnmarked && isLaterByVersion(s, key) && createdSince(s, key));
    return due ? { ...present, digest: UNKNOWN } : adopt(s, key, present);
  }
  if (!sameKeys(recorded, present)) return adopt(s, key, present);
  if (recorded.digest === ABSENT && present.digest !== ABSENT) {
    const changedBy = lastChange(s, key);
    const { tombstone } = s.sources.get(key) ?? {};
    const isBack = tombstone !== undefined && tombstone.resourceVersion === recorded.gone;
    const changed = !isBack && changedBy !== undefined && changedBy > (recorded.since ?? 0);
    const due = changed || createdSince(s, key);
    return due ? { ...present, digest: UNKNOWN } : present;
  }
  // Under another installation key digests are not comparable: the present content is adopted.
  if (!comparable(recorded.digest, present.digest)) return present;
  return recorded;
}

/**
 * Whether the present content is older than the edit with which every pod began: its record was
 * written first.
 */
function isInTemplate(
  s: DecisionInput,
  key: SourceKey,
  record: WorkloadRecord,
  contents: readonly Content[],
): boolean {
  const isKnown = contents.every(({ digest }) => digest !== ABSENT && digest !== UNKNOWN);
  const isOfAll = record.partial !== true && record.templateHash === s.workload.templateHash;
  return isKnown && isOfAll && isOlderThan(s, key, record.editedVersion) === true;
}

/**
 * The running content of each source that rolls the workload: from the record, else the marker,
 * else the present content. A newly used source or key is adopted, because the edit that added it
 * has rolled the pods.
 */
export function reconcileRunning(
  s: DecisionInput,
  record: WorkloadRecord,
  present: Contents,
): Contents {
  const marker = markedBy(s, record);
  // A workload that was opted out for a while in mid-rollout has none of it in its record.
  const brought = record.phase === "rolling" ? record.rollout?.wanted : undefined;
  const running: Contents = {};
  for (const [key, content] of Object.entries(present) as [SourceKey, Content][]) {
    const recorded = record.running[key] ?? brought?.[key];
    const ran = runningNow(s, key, recorded, content, marker);
    const isOwn = ran === recorded && isInTemplate(s, key, record, [ran, content]);
    const isMixed = s.mixed?.includes(key) === true;
    const own = isOwn ? content : recounted(ran, content);
    running[key] = isMixed ? { ...content, digest: UNKNOWN } : own;
  }
  return running;
}

/**
 * Whether the source's last write is older than the edit of this version, which the watch showed;
 * undefined where versions do not say.
 */
export function isOlderThan(
  s: DecisionInput,
  key: SourceKey,
  edited: string | undefined,
): boolean | undefined {
  const version = s.sources.get(key)?.resourceVersion;
  const isOrdered = s.isOrderedWith?.(splitSourceKey(key).kind) === true;
  if (!isOrdered || edited === undefined) return undefined;
  // Versions went back since: the cluster was restored.
  if (compareVersions(edited, s.workload.resourceVersion) > 0) return undefined;
  return version === undefined ? undefined : compareVersions(version, edited) < 0;
}

/** The latest time a source can have changed; undefined if unchanged since its creation. */
export function lastChange(s: Pick<DecisionInput, "sources">, key: SourceKey): number | undefined {
  const source = s.sources.get(key);
  return source?.changedAt === undefined
    ? undefined
    : source.changedAt + (source.changedWithin ?? 0);
}

/** When one of the sources was last changed, as far as that is recorded; creations are not. */
export function newestChange(s: DecisionInput, keys: readonly SourceKey[]): number | undefined {
  const times = keys.flatMap((key) => s.sources.get(key)?.changedAt ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

/**
 * Whether the source's last write is known to be later than the workload's last edit or creation.
 * etcd numbers all writes in one order, while clocks differ and watches lag. But the API guarantees
 * order only within a resource type (KEP-5504), so versions overrule a clock that says "before",
 * never one that says "after".
 */
export function isLaterByVersion(s: DecisionInput, key: SourceKey): boolean {
  const { editedVersion } = s.workload;
  const version = s.sources.get(key)?.resourceVersion;
  if (editedVersion === undefined || version === undefined) return false;
  return compareVersions(version, editedVersion) > 0;
}

function sameSecondOrEarlier(time: number, than: number): boolean {
  return Math.floor(time / 1_000) <= Math.floor(than / 1_000);
}

/** What pods run that is there still, with all changes that this takes in. */
export function stillThere({ running }: WorkloadRecord, present: Contents): Contents {
  const same = Object.entries(present).filter(([key, { digest }]) => {
    return digest !== ABSENT && running[key]?.digest === digest;
  });
  return Object.fromEntries(same) as Contents;
}
