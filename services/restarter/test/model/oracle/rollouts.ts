import { ABSENT, parseMarker } from "../../../src/model/content.ts";
import { NAMESPACE } from "../world/config.ts";
import { isPatch, podsAt, shortName } from "./facts.ts";
import type { Change, Facts, WorkloadWrite } from "./facts.ts";
import { isEnd } from "./ends.ts";
import { patchOf, recordingsOf } from "./truth.ts";
import type { Fault, Property } from "./property.ts";

function withoutOneEnd(facts: Facts): Fault[] {
  const open = new Set([...facts.records.values()].map(({ rollout }) => rollout?.id));
  const ids = new Set(facts.events.map(({ event }) => event.data.rollout));
  return [...ids].flatMap((id) => {
    if (id === undefined) return [];
    const of = facts.events.filter(({ event }) => event.data.rollout === id);
    const ends = of.filter(({ event }) => isEnd(event.outcome));
    const started = of.find(({ event }) => event.outcome === "started");
    const [first, second] = ends;
    if (second !== undefined) {
      const outcomes = ends.map(({ event }) => event.outcome).join(", ");
      return [{ i: second.i, what: `a rollout has ${ends.length} ends: ${outcomes}` }];
    }
    if (first === undefined && started !== undefined && !open.has(id)) {
      return [{ i: started.i, what: "a rollout began and has no end" }];
    }
    if (first !== undefined && started !== undefined && started.i > first.i) {
      return [
        { i: first.i, what: `a rollout's end (${first.event.outcome}) comes before its start` },
      ];
    }
    if (first?.event.outcome === "succeeded" && started === undefined) {
      return [{ i: first.i, what: "a rollout succeeded that never began" }];
    }
    return [];
  });
}

/** How exactly a change and a creation can be ordered in time. */
export const SAME_TIME_MS = 1_000;

/** The content that a write brings: as its marker says, or where that is a time, its rollout. */
function broughtBy({ rollouts }: Facts, { marker, at }: WorkloadWrite): [string, string][] {
  const marked = [...parseMarker(marker, NAMESPACE)];
  if (marked.length > 0) return marked;
  const rollout = [...rollouts.values()]
    .map((entry) => entry.rollout)
    .findLast((other) => other.marker === marker && other.decidedAt <= at);
  return Object.entries(rollout?.wanted ?? {}).map(([key, { digest }]) => [key, digest]);
}

function sameContent(facts: Facts, a: WorkloadWrite, b: WorkloadWrite): boolean {
  const digests = (write: WorkloadWrite) =>
    JSON.stringify(broughtBy(facts, write).toSorted(([left], [right]) => (left < right ? -1 : 1)));
  return digests(a) === digests(b);
}

/** Whether a record has said before a write that the pods run the content of a change. */
function isAdopted({ history }: Facts, change: Change, write: WorkloadWrite): boolean {
  return history
    .slice(change.i, write.i)
    .some(
      (entry) =>
        entry.type === "record" &&
        entry.record?.uid === write.object.metadata.uid &&
        entry.record.phase === "current" &&
        Object.values(entry.record.running).some(({ digest }) => digest === change.digest),
    );
}

/** Whether all that a write changes is that it does without sources that are gone. */
function isForDeletion(facts: Facts, previous: WorkloadWrite, write: WorkloadWrite): boolean {
  const before = new Map(broughtBy(facts, previous));
  const after = new Map(broughtBy(facts, write).filter(([, digest]) => digest !== ABSENT));
  const isSame = [...after].every(([key, digest]) => before.get(key) === digest);
  // Admission may have taken the marker off.
  return write.marker !== undefined && isSame && after.size < before.size;
}

/** Whether every pod ran the content that a write brings, before it. */
function isRunByAll(facts: Facts, write: WorkloadWrite): boolean {
  const pods = podsAt(facts, write.object.metadata.uid, write.i);
  const brought = broughtBy(facts, write).map(([key, digest]) => [shortName(key), digest] as const);
  return (
    pods.length > 0 &&
    brought.length > 0 &&
    pods.every(({ content }) => brought.every(([source, digest]) => content.get(source) === digest))
  );
}

/**
 * Whether a pod may have begun between the last record before a change, to the second, and our
 * write: then it may have what came and went meanwhile.
 */
function mayHaveBegunSince(facts: Facts, previous: WorkloadWrite, write: WorkloadWrite): boolean {
  const { uid } = write.object.metadata;
  const secondOf = (i: number) => Math.floor((facts.history[i]?.at ?? 0) / 1_000);
  // What a Job has run with is what those began with that have ended.
  const isBatch = ["CronJob", "Job"].includes(write.object.kind);
  const pods = isBatch
    ? facts.pods.filter(({ from, owner }) => owner === uid && from < write.i)
    : podsAt(facts, uid, write.i);
  const begins = pods.map(({ from }) => secondOf(from));
  // What changed between a decision and its patch came in the second in which its pods begin.
  const decided = facts.history.findIndex(
    (entry) => entry.type === "record" && entry.record?.rollout?.marker === previous.marker,
  );
  const since = decided === -1 ? previous.i : Math.min(decided, previous.i);
  const ofOneSecond = facts.changes.filter(
    ({ i }) => i < write.i && secondOf(i) === secondOf(previous.i),
  );
  const isBack = ofOneSecond.some(({ i, source }) =>
    ofOneSecond.some((other) => other.i > i && other.source === source),
  );
  if (isBack && begins.some((second) => second >= secondOf(previous.i))) return true;
  return facts.changes
    .filter(({ i }) => i > since && i < write.i)
    .some((change) => {
      const recorded = facts.history
        .slice(0, change.i)
        .findLastIndex((entry) => entry.type === "record" && entry.record?.uid === uid);
      return begins.some((second) => second >= secondOf(recorded));
    });
}

/** Whether a write takes what we have written from the template, or it may be another one. */
function isOfOthers({ by, deleted, marker, markerChanged, templateChanged }: WorkloadWrite) {
  // A controller keeps our marker, unless admission takes it off in its write.
  if (by === "cluster") return markerChanged && marker === undefined;
  return by !== "rollcast" && (markerChanged || templateChanged || deleted);
}

/**
 * The write since which the pods have the content, and no other writer has touched the template.
 */
function needlessRollouts(facts: Facts): Fault[] {
  let last: WorkloadWrite | undefined;
  return facts.writes.flatMap((write) => {
    const { i, by, before, markerChanged, templateChanged } = write;
    const isOurs = by === "rollcast" && (markerChanged || templateChanged);
    const previous = last;
    const { uid } = write.object.metadata;
    const created = before === undefined || before.metadata.uid !== uid;
    // A Job of a CronJob that is gone goes with that.
    if (isOurs && !created && previous !== undefined && previous.object.metadata.uid !== uid) {
      return [];
    }
    if (isOurs || created) last = write;
    else if (isOfOthers(write)) last = undefined;
    if (!isOurs || previous === undefined) return [];
    const isCreation = previous.by !== "rollcast";
    const changed = facts.changes.some(
      (change) =>
        change.i < i &&
        // A source that is deleted rolls nothing, by the rules of the world.
        change.digest !== undefined &&
        !(change.i < previous.i && isAdopted(facts, change, write)) &&
        (change.i > previous.i || (isCreation && change.at > previous.at - SAME_TIME_MS)),
    );
    if (mayHaveBegunSince(facts, previous, write)) return [];
    // It has taken over pods of another that was deleted without them.
    const isAdopter = podsAt(facts, uid, i).some(({ from }) => from < previous.i);
    if (isCreation && isAdopter) return [];
    if (!isCreation && isForDeletion(facts, previous, write))
      return [{ i, what: "the workload is rolled because a source is gone" }];
    if (changed && !(sameContent(facts, previous, write) && isRunByAll(facts, write))) return [];
    if (isCreation)
      return [{ i, what: "the workload is rolled, and nothing has changed since it was made" }];
    return sameContent(facts, previous, write)
      ? [{ i, what: "the same content is rolled twice" }]
      : [];
  });
}

/**
 * Whether an event is of the rollout that made a write. That is recorded with its marker: one whose
 * patch had no answer, and whose marker was taken off before anybody looked, goes on under its id
 * with another one. One that is over when it is found is in no record.
 */
function isOfWrite(facts: Facts, { i, event }: Facts["events"][number], write: WorkloadWrite) {
  const recorded = recordingsOf(facts, event.data.rollout ?? "");
  if (recorded.length === 0) return i > write.i;
  return recorded.some(({ marker }) => marker === write.marker);
}

function disagreements(facts: Facts): Fault[] {
  const { events, history, writes } = facts;
  const began = events.filter(({ event }) => event.outcome === "started");
  const unstarted = writes
    .filter((write) => isPatch(write) && write.marker !== undefined)
    .filter((write) => !began.some((event) => isOfWrite(facts, event, write)))
    .map(({ i }) => ({ i, what: "a workload is rolled, and no event says that it began" }));
  const unpatched = began
    .filter(({ i, event }) => {
      const begun = recordingsOf(facts, event.data.rollout ?? "");
      return begun.length > 0 && !begun.some((rollout) => patchOf(facts, rollout, i) !== undefined);
    })
    .map(({ i }) => ({
      i,
      what: "an event says that a rollout began, and the workload has no marker of it",
    }));
  const first = new Map(events.map(({ event }) => [event.id, event]));
  const others = [...history.entries()].flatMap(([i, entry]) => {
    if (entry.type !== "event" || entry.duplicate !== true) return [];
    const before = first.get(entry.event.id);
    if (before === undefined || before.outcome === entry.event.outcome) return [];
    const what = `one rollout is published as ${before.outcome} and as ${entry.event.outcome}`;
    return [{ i, what }];
  });
  return [...unstarted, ...unpatched, ...others];
}

export const ROLLOUTS: readonly Property[] = [
  {
    name: "one end",
    says: "each rollout that began has exactly one end, after its start",
    faults: withoutOneEnd,
  },
  {
    name: "rolled once",
    says: "no content is rolled twice without a cause, and nothing is rolled without a cause",
    faults: needlessRollouts,
  },
  {
    name: "agree",
    says: "events, records and the cluster agree on what was rolled",
    faults: disagreements,
  },
];
