import { isEnd } from "../oracle/ends.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { NO_MORE_FAULTS } from "../acts/act.ts";
import { isRestore } from "../oracle/facts.ts";
import { isEachLack, recordedAt } from "./lacks.ts";
import { patchOf } from "../oracle/truth.ts";

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
 * Whether the Job of a CronJob that the violation is about, or the last one, was dropped from its
 * record before it began.
 */
export function isRunDropped({ history, writes }: Facts, violation: Violation): boolean {
  const runs = writes.filter(
    ({ by, markerChanged, object }) =>
      by === "rollcast" && markerChanged && object.kind === "CronJob",
  );
  const isOfEnd = violation.what.startsWith("pods lack the content");
  const run = isOfEnd ? runs.at(-1) : runs.find(({ i }) => i === violation.i);
  if (run === undefined) return false;
  const recordAt = (entry: Facts["history"][number] | undefined) =>
    entry?.type === "record" ? entry.record : undefined;
  const before = recordAt(history.findLast((entry, i) => i < run.i && entry.type === "record"));
  const after = recordAt(history.find((entry, i) => i > run.i && entry.type === "record"));
  const isPending = before?.phase === "pending" && before.rollout?.marker === run.marker;
  return isPending && after !== undefined && after.rollout?.marker !== run.marker;
}

/** Whether NATS was restored after the last Job of a CronJob was run: its run is forgotten. */
export function isRunForgotten({ history, workload, writes }: Facts, { i }: Violation): boolean {
  const run = writes.findLast(({ by, markerChanged }) => by === "rollcast" && markerChanged);
  if (workload?.kind !== "CronJob" || run === undefined) return false;
  return history.slice(run.i, i).some(isRestore);
}

/** Whether NATS was restored while quota was in use, or a rollout recorded that had not ended. */
export function isQuotaForgotten({ events, history }: Facts, place: number): boolean {
  const restored = history.findLastIndex((entry, i) => i < place && isRestore(entry));
  const state = history.findLast(
    (entry, i) => i < restored && entry.type === "control" && entry.entry?.type === "state",
  );
  const isInUse =
    state?.type === "control" &&
    state.entry?.type === "state" &&
    Object.keys(state.entry.rolling).length > 0;
  if (isInUse) return true;
  const ended = new Set(
    events.flatMap(({ i, event }) =>
      i < restored && isEnd(event.outcome) ? [event.data.rollout] : [],
    ),
  );
  return history
    .slice(0, Math.max(0, restored))
    .some(
      (entry) =>
        entry.type === "record" &&
        entry.record?.rollout !== undefined &&
        !ended.has(entry.record.rollout.id),
    );
}

/** Whether the workload's controller changed its template between a rollout's begin and its end. */
export function isNormalised(facts: Facts, { i: end, what }: Violation): boolean {
  if (!what.includes("TemplateChanged")) return false;
  const id = facts.events.find(({ i }) => i === end)?.event.data.rollout ?? "";
  const rollout = facts.rollouts.get(id)?.rollout;
  const started = facts.events.find(
    ({ event }) => event.outcome === "started" && event.data.rollout === id,
  );
  // Admission may have taken the marker off the patch.
  const patch = rollout === undefined ? undefined : patchOf(facts, rollout, end);
  const began = patch?.i ?? started?.i ?? end;
  return facts.writes.some(
    ({ i, by, templateChanged }) => by === "cluster" && templateChanged && i > began && i < end,
  );
}

/**
 * Whether what a CronJob ran with last came and went between two looks at a source: its record says
 * before and after the run that it runs what is present.
 */
export function isContentBackForRun(facts: Facts, { what }: Violation): boolean {
  const { changes, history, workload, writes } = facts;
  const run = writes.findLast(({ by, markerChanged }) => by === "rollcast" && markerChanged);
  if (workload?.kind !== "CronJob" || run === undefined || !what.startsWith("pods lack")) {
    return false;
  }
  const pod = { owner: workload.metadata.uid };
  return changes.some(({ i, source, digest }) => {
    const last = changes.findLast((change) => change.source === source);
    const recorded = recordedAt(facts, { pod, source }, history.length);
    return i > run.i && digest !== last?.digest && recorded === last?.digest;
  });
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
 * Whether the rollout that began, or was patched, at this place was dropped from its record after
 * its patch was applied, by a decision that knew the workload from before the patch, or another of
 * its name.
 */
export function isDroppedInFlight(facts: Facts, place: number): boolean {
  const { events, history, rollouts, writes } = facts;
  const id = events.find(({ i }) => i === place)?.event.data.rollout ?? "";
  const begun = rollouts.get(id)?.rollout;
  const own = writes.find(({ i, by }) => i === place && by === "rollcast");
  const patch = begun === undefined ? own : patchOf(facts, begun, place);
  if (patch === undefined) return false;
  const { uid, generation = 0 } = patch.object.metadata;
  const records = history.flatMap((entry, i) =>
    entry.type === "record" && entry.record !== undefined ? [{ i, record: entry.record }] : [],
  );
  const last = records.findLast(({ i, record }) => i < patch.i && record.uid === uid)?.record;
  const next = records.find(({ i }) => i > patch.i);
  return (
    last?.phase === "pending" &&
    last.rollout?.marker === patch.marker &&
    next !== undefined &&
    next.record.rollout?.marker !== patch.marker &&
    // It knew the workload from before the patch, or another one of its name.
    (next.record.uid !== uid || next.record.generation < generation)
  );
}

/**
 * Whether each source was created and NATS was restored after the pod was made, and nothing of the
 * workload was recorded in between: its record does not know its pods.
 */
export function isCreatedAfterRestore(facts: Facts, violation: Violation): boolean {
  const { history } = facts;
  return isEachLack(facts, violation, ({ changedAt, pod, source }) => {
    const restored = history.findLastIndex((entry) => isRestore(entry));
    if (restored < pod.from || pod.content.has(source)) return false;
    const between = history.slice(Math.min(restored, changedAt), Math.max(restored, changedAt));
    return !between.some((entry) => entry.type === "record" && entry.record?.uid === pod.owner);
  });
}

/** The beginning of the sentence of an outage. */
const OUTAGE = "NATS does not answer";
/** Watches are open again by then. */
const REOPENED_MS = 2_000;

/** What keeps a change from the restarter, by the acts that begin and end it. */
const DELAYS = [
  [`${OUTAGE} from now on.`, "NATS answers again."],
  ["Watches of sources deliver nothing from now on.", "Watches of sources deliver again."],
] as const;

/**
 * Whether the patch at a place is of a workload that was made while changes of sources did not
 * reach the restarter, after the last of them.
 */
export function isMadeBeforeChangeIsKnown(
  { changes, history, writes }: Facts,
  place: number,
): boolean {
  const uid = writes.find(({ i }) => i === place)?.object.metadata.uid;
  const made = writes.find(({ object }) => object.metadata.uid === uid);
  if (uid === undefined || made === undefined) return false;
  const acts = history.slice(0, made.i).flatMap((entry) => (entry.type === "act" ? entry : []));
  const isDelayed = DELAYS.some(
    ([from, to]) => acts.findLast(({ text }) => text === from || text === to)?.text === from,
  );
  const changed = changes.findLast(({ i }) => i < place);
  return isDelayed && (changed?.i ?? 0) < made.i;
}

/** Whether a rollout was decided, and not begun, before a gate was closed that still is. */
export function isPendingAtGate({ history, records }: Facts): boolean {
  const end = history.at(-1)?.at ?? 0;
  const gates = new Map(
    history.flatMap((entry) => (entry.type === "control" ? [[entry.key, entry]] : [])),
  );
  const closed = [...gates.values()].filter(({ entry }) => {
    if (entry?.type === "settings") return entry.paused !== undefined;
    return entry?.type === "freeze" && (entry.until ?? end) >= end;
  });
  return [...records.values()].some(
    ({ phase, rollout }) =>
      phase === "pending" &&
      rollout !== undefined &&
      closed.some(({ at }) => at >= rollout.decidedAt),
  );
}

/** Whether a Job was skipped as suspended after it had been resumed. */
export function isSkippedAfterResume({ events, workload, writes }: Facts): boolean {
  const skipped = events.findLast(({ event }) => event.data.reason === "Suspended");
  const before = writes.findLast(({ i }) => i < (skipped?.i ?? 0));
  return workload?.kind === "Job" && before !== undefined && before.object.spec?.suspend !== true;
}

/**
 * Whether the quota of a rollout was released before its record was written: its process had stood
 * still for longer than one that is killed would need to be replaced.
 */
export function isQuotaReleasedEarly({ history }: Facts, place: number): boolean {
  const reserved = new Map<string, number>();
  return history.slice(0, place).some((entry, i) => {
    if (entry.type === "control" && entry.entry?.type === "state") {
      const ids = new Set(Object.values(entry.entry.rolling).map(({ rollout }) => rollout));
      for (const id of ids) if (!reserved.has(id)) reserved.set(id, i);
      return false;
    }
    if (entry.type !== "record" || entry.record?.phase !== "pending") return false;
    const { id = "" } = entry.record.rollout ?? {};
    return history
      .slice(reserved.get(id) ?? i, i)
      .some(
        (other) =>
          other.type === "control" &&
          other.entry?.type === "state" &&
          !Object.values(other.entry.rolling).some(({ rollout }) => rollout === id),
      );
  });
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

/** Whether a rollout was decided while watches were not open again after an outage of NATS. */
export function isAfterOutage({ events, history, rollouts }: Facts, start: number): boolean {
  const id = events.find(({ i }) => i === start)?.event.data.rollout ?? "";
  const decidedAt = rollouts.get(id)?.rollout.decidedAt ?? Number.NEGATIVE_INFINITY;
  const acts = history.filter((entry) => entry.type === "act" && entry.at <= decidedAt);
  const outage = acts.findLast((entry) => entry.type === "act" && entry.text.startsWith(OUTAGE));
  if (outage === undefined) return false;
  const over = acts.find(
    (entry) =>
      entry.at >= outage.at &&
      entry.type === "act" &&
      (entry.text === "NATS answers again." || entry.text === NO_MORE_FAULTS),
  );
  return decidedAt - (over?.at ?? decidedAt) < REOPENED_MS;
}
