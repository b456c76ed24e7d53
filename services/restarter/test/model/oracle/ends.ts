import { dig } from "@rollcast/kube/object";
import { NO_MORE_FAULTS } from "../acts/act.ts";
import type { Rollout } from "../../../src/model/workload-record.ts";
import { isBatch, isComplete } from "./complete.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { contentAt } from "./facts.ts";
import type { Change, Facts } from "./facts.ts";
import type { Fault, Property } from "./property.ts";
import { shownEnd } from "./shown-end.ts";
import { patchOf, wantedBy } from "./truth.ts";

/** The time limit of a kind in the world: its own, or `rollout.stalledAfter`. */
export const LIMIT_MS = 600_000;

/** The time limit of a workload: that of a Job may be less. */
function limitOf(workload: KubeObject | undefined): number {
  const { spec = {} } = workload ?? {};
  const seconds =
    workload?.kind === "CronJob"
      ? dig(spec, "jobTemplate", "spec", "activeDeadlineSeconds")
      : spec.activeDeadlineSeconds;
  return typeof seconds === "number" ? seconds * 1_000 : LIMIT_MS;
}

/** How late something that is due may be. */
export const LATE_MS = 60_000;

const OUTCOMES = new Set(["succeeded", "failed", "superseded", "cancelled"]);

/** Whether an outcome is the end of a rollout. */
export function isEnd(outcome: string): boolean {
  return OUTCOMES.has(outcome);
}

type Ended = { readonly uid: string; readonly rollout: Rollout };

/** Whether somebody must resume it before it goes on. */
export function isPaused({ kind, spec }: KubeObject): boolean {
  return spec?.paused === true || (kind === "Job" && spec?.suspend === true);
}

/** What began, is over or late by what the cluster shows, and about which nothing is told. */
function untoldEnds(facts: Facts): Fault[] {
  const { events, history, workload } = facts;
  const i = history.length - 1;
  if (workload === undefined || isPaused(workload)) return [];
  return [...facts.records.values()].flatMap(({ phase, rollout, uid }): Fault[] => {
    if (phase !== "rolling" || rollout === undefined || uid !== workload.metadata.uid) return [];
    const of = events.filter(({ event }) => event.data.rollout === rollout.id);
    const started = of.find(({ event }) => event.outcome === "started");
    const end = shownEnd(facts, rollout, workload);
    if (end !== undefined) {
      return [{ i, what: `the rollout is ${end} in the cluster, and no event says so` }];
    }
    const age = (history[i]?.at ?? 0) - (started?.event.time ?? 0);
    const isTold = of.some(({ event }) => event.outcome === "stalled");
    if (isTold || age < limitOf(workload) + LATE_MS) return [];
    return [{ i, what: "the rollout is over its time limit, and no event says that it stalled" }];
  });
}

const CALM =
  /^(Up to [\d.]+ (s|min) pass\.|ConfigMap \w+ gets content|Its owner makes its pods never)/;

/** Whether only content changes and time passes: whatever is due is told soon. */
export function isCalm({ history }: Facts): boolean {
  return history.every(
    (entry) => entry.type !== "act" || CALM.test(entry.text) || entry.text === NO_MORE_FAULTS,
  );
}

/** Successes that are told long after the cluster has shown that they are complete. */
function lateSuccesses(facts: Facts): Fault[] {
  if (!isCalm(facts)) return [];
  return facts.events.flatMap(({ i, event }) => {
    const { rollout: id = "", workload } = event.data;
    const rollout = facts.rollouts.get(id)?.rollout;
    if (event.outcome !== "succeeded" || rollout === undefined) return [];
    const patch = patchOf(facts, rollout, i);
    const complete = facts.writes.find(
      (write) =>
        write.i >= (patch?.i ?? i) &&
        write.object.metadata.uid === workload.uid &&
        !isBatch(write.object) &&
        isComplete(write.object),
    );
    const late = event.time - (complete?.at ?? event.time);
    if (late <= LATE_MS) return [];
    return [{ i, what: `succeeded is told ${late / 1_000} s after it was complete` }];
  });
}

/** When the faults of a schedule end. */
function calmSince({ history }: Facts): number {
  const last = history.findLast((entry) => entry.type === "act" && entry.text === NO_MORE_FAULTS);
  return last?.at ?? Number.POSITIVE_INFINITY;
}

function falseStalls(facts: Facts): Fault[] {
  return facts.events.flatMap(({ i, event }) => {
    if (event.outcome !== "stalled") return [];
    const started = facts.events.find(
      (other) =>
        other.event.outcome === "started" && other.event.data.rollout === event.data.rollout,
    );
    const age = event.time - (started?.event.time ?? Number.NEGATIVE_INFINITY);
    const own = facts.writes.filter(
      ({ object }) => object.metadata.uid === event.data.workload.uid,
    );
    const wasPaused = own.some(({ i: at, object }) => at > (started?.i ?? 0) && isPaused(object));
    const before = own.findLast(({ at }) => at < event.time - LATE_MS);
    if (before !== undefined && isPaused(before.object)) {
      const since = own.find(({ i: at }) => at > before.i);
      if (since === undefined || since.at > event.time) {
        return [{ i, what: "stalled, but it is paused" }];
      }
    }
    const limit = limitOf(before?.object ?? own.at(0)?.object);
    if (age < limit) {
      return [{ i, what: `stalled after ${age / 1_000} s, within its time limit` }];
    }
    const isUndisturbed = isCalm(facts) || (started?.event.time ?? 0) >= calmSince(facts);
    if (wasPaused || !isUndisturbed || age < limit + 2 * LATE_MS) return [];
    return [{ i, what: `stalled after ${age / 1_000} s, long after its time limit` }];
  });
}

/** Why a rollout was superseded or cancelled, as far as the history shows that it was so. */
function hasCause(facts: Facts, { uid, rollout }: Ended, reason: string, i: number): boolean {
  const decided = facts.history.findIndex(
    (entry) => entry.type === "record" && entry.record?.rollout?.id === rollout.id,
  );
  const later = facts.writes.filter((write) => write.i < i && write.at >= rollout.decidedAt);
  switch (reason) {
    case "TemplateChanged":
      return later.some(
        ({ by, templateChanged, markerChanged, deleted }) =>
          by !== "rollcast" && by !== "cluster" && (templateChanged || markerChanged || deleted),
      );
    case "MarkerRemoved":
      // Admission may take it off in any write.
      return later.some(({ by, markerChanged }) => by !== "rollcast" && markerChanged);
    case "NewerContent": {
      const wanted = wantedBy(rollout);
      // What changes between a decision and its record came and went as its pods began, or not.
      const before = facts.history.slice(0, decided).findLastIndex(({ type }) => type === "record");
      const second = Math.floor(rollout.decidedAt / 1_000) * 1_000;
      const isLater = (change: Change) =>
        decided < change.i || (before !== -1 && before < change.i && change.at >= second);
      return (
        facts.changes.some((change) => isLater(change) && change.i < i) ||
        [...contentAt(facts, i)].some(([source, digest]) => wanted.get(source) !== digest)
      );
    }
    case "Deleted":
    case "Recreated": {
      const isOther = ({ metadata }: KubeObject) => metadata.uid !== uid;
      const goneBy = (isBy: (by: string) => boolean) =>
        facts.writes.find(({ by, deleted, object }) => deleted && isBy(by) && !isOther(object))
          ?.i ?? i;
      const gone = goneBy((by) => by !== "rollcast");
      const isAgain = facts.writes.some(({ i: at, by, object }) => {
        // A Job that we delete ourselves we make again, unless somebody else is faster.
        const from = by === "rollcast" ? gone : goneBy(() => true);
        return from < at && at < i && isOther(object);
      });
      return reason === "Deleted" ? gone < i : isAgain;
    }
    case "JobDeleted":
      return facts.history.some(
        (entry, at) =>
          at < i &&
          entry.type === "object" &&
          entry.write.type === "DELETED" &&
          entry.write.object.metadata.name === rollout.job,
      );
    // Nobody in the world asks for a rollout.
    default:
      return false;
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  TemplateChanged: "nobody edited the template",
  MarkerRemoved: "nobody took the marker off",
  NewerContent: "no content has changed",
  Deleted: "nobody deleted the workload",
  Recreated: "nobody made the workload again",
  JobDeleted: "nobody deleted its Job",
};

function falseEnds(facts: Facts): Fault[] {
  return facts.events.flatMap(({ i, event }) => {
    const { workload, rollout: id = "", reason = "" } = event.data;
    const rollout = facts.rollouts.get(id)?.rollout;
    if (!["superseded", "cancelled"].includes(event.outcome) || rollout === undefined) return [];
    if (hasCause(facts, { uid: workload.uid, rollout }, reason, i)) return [];
    const not = CAUSES[reason] ?? "nobody asked for that";
    return [{ i, what: `${event.outcome} (${reason}), but ${not}` }];
  });
}

export const ENDS: readonly Property[] = [
  {
    name: "superseded is true",
    says: "`superseded` and `cancelled` are published only if content, template or workload changed as they say",
    faults: falseEnds,
  },
  {
    name: "ends are told",
    says: "at rest, a rollout that is over in the cluster has an end, and one that is late is `stalled`, not before",
    faults: (facts) => [...untoldEnds(facts), ...falseStalls(facts), ...lateSuccesses(facts)],
  },
];
