import { isPatch } from "./facts.ts";
import { arePresent } from "./truth.ts";
import { LATE_MS, LIMIT_MS } from "./ends.ts";
import { RESUMED } from "../acts/act.ts";
import type { Change } from "../../../src/model/control-entry.ts";
import type { Rollout, WorkloadRecord } from "../../../src/model/workload-record.ts";
import { controlsAt } from "./control.ts";
import type { Facts } from "./facts.ts";
import type { Fault, Property } from "./property.ts";

/** So long a paused rollout may keep its place: `rollout.stalledAfter`, and until that is seen. */
const PAUSED_MS = LIMIT_MS + LATE_MS;

/** Whether the rollout goes on when its workload is resumed. */
function awaitsResume({ startedAt, deadline, stallTimeout }: Rollout): boolean {
  return startedAt !== undefined && stallTimeout !== undefined && deadline === undefined;
}

/** The rollout that each workload has in its record, as far as its patch was applied, by uid. */
function overLimit(facts: Facts): Fault[] {
  const { history, queue, writes } = facts;
  const { maxRolling = Number.POSITIVE_INFINITY } = queue ?? {};
  const patches = new Map(
    writes.filter(isPatch).map((write) => [write.i, write.object.metadata.uid]),
  );
  const records = new Map<string, WorkloadRecord>();
  const rolling = new Map<string, string>();
  const faults: Fault[] = [];
  const close = ({ uid, rollout }: WorkloadRecord) => {
    const isOver = rollout?.stalled === true || (rollout !== undefined && awaitsResume(rollout));
    if (rolling.get(uid) !== rollout?.id || isOver) rolling.delete(uid);
  };
  for (const [i, entry] of history.entries()) {
    if (entry.type === "record") {
      const before = records.get(entry.key);
      if (before !== undefined && before.uid !== entry.record?.uid) rolling.delete(before.uid);
      if (entry.record === undefined) records.delete(entry.key);
      else records.set(entry.key, entry.record);
      if (entry.record !== undefined) close(entry.record);
    }
    const uid = patches.get(i);
    if (uid === undefined) continue;
    const id = [...records.values()].find((record) => record.uid === uid)?.rollout?.id;
    if (id !== undefined) rolling.set(uid, id);
    if (rolling.size > maxRolling) {
      faults.push({
        i,
        what: `${rolling.size} workloads roll at once, with maxRolling ${maxRolling}`,
      });
    }
  }
  return faults;
}

const FAILURES = new Set(["failed", "stalled"]);
const CLEARED = new Set(["succeeded", "superseded", "cancelled"]);

/**
 * How many rollouts that brought these changes, and no others, had begun and failed or stalled
 * before this place, by what was published; a stalled one that ended otherwise no longer counts.
 */
function failuresBefore(
  { events, history, rollouts }: Facts,
  changes: readonly Change[],
  before: number,
): number {
  const ids = new Set(changes.map(({ id }) => id));
  const resumed = history.findLastIndex(
    (entry, i) => i < before && entry.type === "act" && entry.text === RESUMED,
  );
  const earlier = events.filter(({ i }) => i < before);
  const of = (rollout: string, outcomes: (outcome: string) => boolean) =>
    earlier.filter(({ event }) => event.data.rollout === rollout && outcomes(event.outcome));
  // It counts once, by what came first: as a failure that somebody resumed, no more.
  const counted = new Map<string, number>();
  for (const { i, event } of earlier.toReversed()) {
    const { rollout } = event.data;
    if (rollout !== undefined && FAILURES.has(event.outcome)) counted.set(rollout, i);
  }
  const failed = [...counted]
    .filter(([, i]) => i > resumed)
    .map(([rollout]) => rollout)
    .filter((rollout) => {
      const brought = rollouts.get(rollout)?.rollout.changes ?? [];
      const isOfThese = brought.length > 0 && brought.every(({ id }) => ids.has(id));
      const began = of(rollout, (outcome) => outcome === "started").length > 0;
      return isOfThese && began && of(rollout, (outcome) => CLEARED.has(outcome)).length === 0;
    });
  return failed.length;
}

function startedWhileHalted(facts: Facts): Fault[] {
  const { events, history, queue, rollouts } = facts;
  const { haltAfter = Number.POSITIVE_INFINITY } = queue ?? {};
  return events.flatMap(({ i, event }) => {
    const { rollout: id = "" } = event.data;
    const changes = rollouts.get(id)?.rollout.changes ?? [];
    if (event.outcome !== "started" || changes.length === 0) return [];
    const recorded = history.findIndex(
      (entry) => entry.type === "record" && entry.record?.rollout?.id === id,
    );
    // A process may stand still between its decision and the record of it: nobody can know by then.
    const decidedAt = rollouts.get(id)?.rollout.decidedAt ?? 0;
    const later = history.findIndex(({ at }) => at > decidedAt);
    const decided = later === -1 ? recorded : Math.min(recorded, later);
    const failures = decided === -1 ? 0 : failuresBefore(facts, changes, decided);
    if (failures < haltAfter) return [];
    return [{ i, what: `a rollout began after ${failures} of its change had failed` }];
  });
}

/**
 * How many may roll at once at the end: after failures of what is present no more than may still
 * fail before it is halted. None would be no wait for others.
 */
function roomOf(facts: Facts): number {
  const { history, queue, rollouts } = facts;
  const { haltAfter = Number.POSITIVE_INFINITY, maxRolling = Number.POSITIVE_INFINITY } =
    queue ?? {};
  const changes = [...rollouts.values()].flatMap(({ rollout }) =>
    arePresent(facts, rollout.wanted, history.length) ? (rollout.changes ?? []) : [],
  );
  const failures = failuresBefore(facts, changes, history.length);
  return failures === 0 ? maxRolling : Math.min(maxRolling, Math.max(1, haltAfter - failures));
}

/** Why the reason that a record gives does not hold at the end, or undefined. */
function untrueReason(facts: Facts, due: NonNullable<WorkloadRecord["due"]>): string | undefined {
  const { history, queue, records } = facts;
  const { reason, at, changes = [] } = due;
  const end = history.at(-1)?.at ?? 0;
  if (at !== undefined && at < end - LATE_MS) return "its time has passed";
  if (reason === "MaxRolling") {
    const rolling = [...records.values()].filter(
      ({ rollout }) =>
        rollout !== undefined &&
        rollout.stalled !== true &&
        !(awaitsResume(rollout) && (rollout.startedAt ?? end) < end - PAUSED_MS),
    ).length;
    return rolling < roomOf(facts) ? `${rolling} workloads roll` : undefined;
  }
  if (reason === "Halted") {
    const failures = failuresBefore(facts, changes, history.length);
    return failures < (queue?.haltAfter ?? 0) ? `${failures} rollouts have failed` : undefined;
  }
  const present = controlsAt(facts, end);
  const isPaused = present.some(
    ({ entry }) => entry.type === "settings" && entry.paused !== undefined,
  );
  const isFrozen = present.some(({ entry }) => entry.type === "freeze");
  if (reason === "QueuePaused" && !isPaused) return "the queue is not paused";
  return reason === "Frozen" && !isFrozen ? "there is no freeze" : undefined;
}

function untrueHolds(facts: Facts): Fault[] {
  return [...facts.records.values()].flatMap(({ due, kind, name }) => {
    if (due === undefined) return [];
    const why = untrueReason(facts, due);
    if (why === undefined) return [];
    const what = `held (${due.reason}), but ${why}`;
    return [{ i: facts.history.length - 1, what, workload: `${kind}/${name}` }];
  });
}

export const QUEUES: readonly Property[] = [
  {
    name: "limited",
    says: "never more workloads roll at once than the queue's maxRolling, but for what has stalled or is paused",
    ofAll: true,
    faults: overLimit,
  },
  {
    name: "halted",
    says: "after haltAfter failed rollouts of a change none of it is begun, until it is resumed",
    ofAll: true,
    faults: startedWhileHalted,
  },
  {
    name: "held with reason",
    says: "at rest, what is held is held for a reason that holds, until a time that comes",
    ofAll: true,
    faults: untrueHolds,
  },
];
