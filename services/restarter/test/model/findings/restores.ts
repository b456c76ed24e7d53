import { ROLLOUT } from "@rollcast/kube/workloads/manifest";
import type { Entry } from "../world/history.ts";
import { isEnd } from "../oracle/ends.ts";
import type { Facts } from "../oracle/facts.ts";
import { isPatch, isRestore } from "../oracle/facts.ts";
import { arePresent } from "../oracle/truth.ts";
import type { Violation } from "../oracle/property.ts";
import { isEachLack, recordedAt } from "./lacks.ts";

/**
 * Whether each pod, or the rollout that made it, is older than a restore, and the record restored
 * says what is wanted now.
 */
export function isRecordRestored(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, (lack) => {
    const { pod, wanted } = lack;
    const patched = facts.writes.findLast((write) => write.i < pod.from && isPatch(write));
    const restored = facts.history.findIndex(
      (entry, i) => i > (patched?.i ?? pod.from) && isRestore(entry),
    );
    const isKnown = facts.history.some(
      ({ type }, i) =>
        type === "record" && i < pod.from && recordedAt(facts, lack, i + 1) === wanted,
    );
    return restored !== -1 && isKnown;
  });
}

/** A change is recorded of its workloads in this time. */
const WINDOW_MS = 1_000;

/**
 * Whether each source changed, and NATS was restored before a record of the workload knew: then
 * nobody knows when it changed, and an edit of before counts as later.
 */
export function isChangeTimeLost(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, ({ changedAt, pod }) => {
    const restored = facts.history.findIndex((entry, i) => i > changedAt && isRestore(entry));
    const between = facts.history.slice(changedAt, Math.max(restored, changedAt));
    const isRecorded = between.some(
      (entry) => entry.type === "record" && entry.record?.uid === pod.owner,
    );
    const [changed, restore] = [facts.history[changedAt], facts.history[restored]];
    if (changed === undefined || restore === undefined || isRecorded) return false;
    return pod.from < changedAt && restore.at - changed.at < WINDOW_MS;
  });
}

/** Whether NATS was restored while the last record of a workload had a rollout, or its end. */
export function isRestoredMidway({ events, history }: Facts, start: number): boolean {
  const id = events.find(({ i }) => i === start)?.event.data.rollout;
  return history.some((entry, i) => {
    if (!isRestore(entry)) return false;
    const last = history.findLast((other, at) => at < i && other.type === "record");
    const record = last?.type === "record" ? last.record : undefined;
    const unpublished = record?.outbox.map(({ data }) => data.rollout) ?? [];
    return id !== undefined && [record?.rollout?.id, ...unpublished].includes(id);
  });
}

/**
 * Whether NATS was restored after the last Job of a CronJob was run, and after the last change or
 * to a record that has what it brought: the run is forgotten.
 */
export function isRunForgotten(facts: Facts, { i: end }: Violation): boolean {
  const { changes, history, workload, writes } = facts;
  const run = writes.findLast(isPatch);
  if (workload?.kind !== "CronJob" || run === undefined) return false;
  const changed = changes.at(-1)?.i ?? 0;
  const restored = history.findLastIndex((entry, i) => i < end && isRestore(entry));
  if (restored < run.i) return false;
  const record = history.findLast(({ type }, i) => i > restored && type === "restored record");
  const running = (record?.type === "restored record" && record.record?.running) || {};
  const hasContent = Object.keys(running).length > 0;
  return restored > changed || (hasContent && arePresent(facts, running, end));
}

/** Whether NATS was restored, and the Job that was run before is gone, which says with what. */
export function isRunGone({ history, workload, writes }: Facts, place: number): boolean {
  const run = writes.findLast((write) => write.i < place && isPatch(write));
  if (workload?.kind !== "CronJob" || run === undefined) return false;
  const since = history.slice(run.i, place);
  const isGone = since.some(
    (entry) =>
      entry.type === "object" &&
      entry.write.type === "DELETED" &&
      entry.write.object.kind === "Job" &&
      entry.write.object.metadata.annotations?.[ROLLOUT] !== undefined,
  );
  return isGone && since.some(isRestore);
}

/** Whether NATS was restored while quota was in use, or a rollout recorded that had not ended. */
export function isQuotaForgotten({ events, history }: Facts, place: number): boolean {
  const restored = history.findLastIndex((entry, i) => i < place && isRestore(entry));
  const state = history.findLast(
    (entry, i) => i < restored && entry.type === "control" && entry.entry?.type === "state",
  );
  // What has ended since is not forgotten any more; what supersedes one rolls in its place.
  const ended = new Set(
    events.flatMap(({ i, event }) => {
      const isOver = isEnd(event.outcome) && event.outcome !== "superseded";
      return i < place && isOver ? [event.data.rollout] : [];
    }),
  );
  const inUse =
    state?.type === "control" && state.entry?.type === "state"
      ? Object.values(state.entry.rolling).map(({ rollout }) => rollout)
      : [];
  if (inUse.some((rollout) => !ended.has(rollout))) return true;
  return history
    .slice(0, Math.max(0, restored))
    .some(
      (entry) =>
        entry.type === "record" &&
        entry.record?.rollout !== undefined &&
        !ended.has(entry.record.rollout.id),
    );
}

/** Whether the event at this place is another end of a rollout, after a restore of NATS. */
export function isEndedAgainAfterRestore({ events, history }: Facts, place: number): boolean {
  const again = history[place];
  if (again?.type !== "event" || again.duplicate !== true) return false;
  const first = events.find(({ event }) => event.id === again.event.id);
  if (first === undefined || first.event.outcome === again.event.outcome) return false;
  return history.slice(first.i, place).some(isRestore);
}

/**
 * Whether each source was created and NATS was restored after the pod was made, and nothing of the
 * workload was recorded in between, or is in the backup: its record does not know its pods.
 */
export function isCreatedAfterRestore(facts: Facts, violation: Violation): boolean {
  const { history } = facts;
  return isEachLack(facts, violation, ({ changedAt, pod, source }) => {
    const restored = history.findLastIndex((entry) => isRestore(entry));
    if (restored < pod.from || pod.content.has(source)) return false;
    const between = history.slice(Math.min(restored, changedAt), Math.max(restored, changedAt));
    const isOf = (entry: Entry | undefined) =>
      (entry?.type === "record" || entry?.type === "restored record") &&
      entry.record?.uid === pod.owner;
    const kept = history.find(({ type }, i) => i > restored && type === "restored record");
    return !between.some(isOf) || !isOf(kept);
  });
}

/**
 * Whether each source changed and NATS was restored, and Argo was then told to restart what is
 * older than a time before that change: when it changed is not recorded any more.
 */
export function isRestartedTooEarly(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, ({ changedAt, pod }) =>
    facts.writes.some((write) => {
      const { metadata, spec } = write.object;
      const isOfIt = isPatch(write) && metadata.uid === pod.owner && write.i > changedAt;
      const change = facts.history[changedAt]?.at ?? 0;
      const isEarly = Date.parse(String(spec?.restartAt)) < change;
      return isOfIt && isEarly && facts.history.slice(changedAt, write.i).some(isRestore);
    }),
  );
}

/** Whether NATS was restored after a patch whose start had not been recorded yet. */
export function isStartForgotten({ history, writes }: Facts, { i: place, what }: Violation) {
  const patch = writes.find(({ i, by }) => i === place && by === "rollcast");
  if (patch === undefined || !what.startsWith("a workload is rolled, and no event")) return false;
  const restored = history.findIndex((entry, i) => i > place && isRestore(entry));
  const isRecorded = history
    .slice(place, Math.max(place, restored))
    .some((entry) => entry.type === "record" && entry.record?.phase === "rolling");
  return restored !== -1 && !isRecorded;
}

/**
 * Whether nobody makes a Job again because the record that had the manifest of the last one that we
 * deleted was lost to a restore of NATS before.
 */
export function isManifestLost({ history, writes }: Facts, { what }: Violation): boolean {
  const deletion = writes.at(-1);
  if (what !== "a Job is deleted and made again by nobody") return false;
  if (deletion?.by !== "rollcast" || !deletion.deleted) return false;
  const kept = history.findLastIndex(
    (entry) => entry.type === "record" && entry.record?.recreate !== undefined,
  );
  return history.some((entry, i) => i > kept && kept !== -1 && isRestore(entry));
}

/**
 * Whether the rollout that began by the event at this place was decided again after a restore of
 * NATS: the marker was there, of the same rollout before.
 */
export function isBegunBeforeRestore(
  { events, history, rollouts, writes }: Facts,
  place: number,
): boolean {
  const id = events.find(({ i }) => i === place)?.event.data.rollout ?? "";
  const begun = rollouts.get(id)?.rollout;
  const patch = writes.find(
    (write) =>
      isPatch(write) && write.marker === begun?.marker && write.at < (begun?.decidedAt ?? 0),
  );
  return patch !== undefined && history.slice(patch.i, place).some(isRestore);
}

/** Whether NATS was restored after a rollout had failed or stalled: that is counted no more. */
export function isHaltForgotten({ events, history }: Facts, place: number): boolean {
  return events.some(
    ({ i, event }) =>
      i < place &&
      ["failed", "stalled"].includes(event.outcome) &&
      history.slice(i, place).some(isRestore),
  );
}
