import { SAME_TIME_MS } from "./rollouts.ts";
import { ABSENT, UNKNOWN, parseMarker } from "../../../src/model/content.ts";
import type { ControlEntry } from "../../../src/model/control-entry.ts";
import type { OutboxEvent, Rollout } from "../../../src/model/workload-record.ts";
import { NAMES, NAMESPACE } from "../world/config.ts";
import { isBatch } from "./complete.ts";
import { controlsAt } from "./control.ts";
import { LATE_MS, isCalm, isEnd, isPaused } from "./ends.ts";
import { contentAt, shortName, workloadAt, isRestore } from "./facts.ts";
import type { Facts, WorkloadWrite } from "./facts.ts";
import { patchOf, recordingsOf } from "./truth.ts";
import type { Fault, Property } from "./property.ts";

type Told = { readonly i: number; readonly event: OutboxEvent; readonly rollout: Rollout };

/** The events of rollouts that a record has had. */
function eventsOfRollouts({ events, rollouts }: Facts): Told[] {
  return events.flatMap(({ i, event }) => {
    const rollout = rollouts.get(event.data.rollout ?? "")?.rollout;
    return rollout === undefined ? [] : [{ i, event, rollout }];
  });
}

/** When a rollout began by its records: two replicas may have seen it begin. */
function recordedStarts(facts: Facts, id: string): number[] {
  return recordingsOf(facts, id).flatMap(({ startedAt }) => startedAt ?? []);
}

/** How long a rollout took that ended at a time, by its event and its records. */
function durationsOf(facts: Facts, { decidedAt, id }: Rollout, end: number): number[] {
  const published = facts.events.find(
    ({ event }) => event.outcome === "started" && event.data.rollout === id,
  );
  const starts = [published?.event.time ?? decidedAt, ...recordedStarts(facts, id)];
  return starts.map((start) => end - start);
}

/**
 * The sources, by key, of which a rollout brings other content than the pods had, by each record in
 * which it was decided: one that is interrupted keeps its id.
 */
function broughtKeys({ history }: Facts, { id }: Rollout): string[][] {
  return history.flatMap((entry) => {
    const { phase, rollout, running = {} } = (entry.type === "record" && entry.record) || {};
    if (phase !== "pending" || rollout?.id !== id) return [];
    const keys = Object.entries(rollout.wanted)
      .filter(([key, { digest }]) => digest !== running[key]?.digest)
      .map(([key]) => key);
    return keys.length === 0 ? [] : [keys];
  });
}

function falseTimes(facts: Facts): Fault[] {
  return eventsOfRollouts(facts).flatMap(({ i, event, rollout }) => {
    const { data, outcome, time } = event;
    const publishedAt = facts.history[i]?.at ?? time;
    const isOfLate = isCalm(facts) && time < publishedAt - LATE_MS;
    if (time > publishedAt || isOfLate) {
      return [{ i, what: `${outcome} is told as of another time than it was` }];
    }
    if (!isEnd(outcome)) return [];
    const { durationMs = Number.NaN } = data;
    const durations = durationsOf(facts, rollout, time);
    if (durations.includes(durationMs)) return [];
    // Where its start was never recorded it counts from when somebody found it.
    const isFound = recordedStarts(facts, rollout.id).length === 0;
    const longest = Math.max(...durations, time - rollout.decidedAt);
    if (isFound && durationMs >= 0 && durationMs <= longest) return [];
    return [{ i, what: `${outcome} after ${data.durationMs} ms, and it was ${durations[0]} ms` }];
  });
}

/** A rollout that was patched has a later generation than it was decided for. */
function falseGenerations(facts: Facts): Fault[] {
  return eventsOfRollouts(facts).flatMap(({ i, event, rollout }) => {
    const { generation, workload } = event.data;
    const object = workloadAt(facts, workload.uid, i);
    const isPatched = patchOf(facts, rollout, i) !== undefined;
    if (object === undefined || isBatch(object) || !isPatched || event.outcome !== "started") {
      return [];
    }
    const newest = object.metadata.generation ?? 0;
    // What was applied and taken off again before it was recorded is applied again by that name.
    const guards = recordingsOf(facts, rollout.id).map(({ guard }) => guard);
    const first = Math.min(rollout.guard, ...guards);
    const isOfIt = generation !== undefined && generation > first && generation <= newest;
    return isOfIt ? [] : [{ i, what: `it is told of generation ${generation}, now ${newest}` }];
  });
}

/** What caused it, and how much it brings. */
function falseCauses(facts: Facts): Fault[] {
  return eventsOfRollouts(facts).flatMap(({ i, event, rollout }) => {
    const { affected = 1, cause, sources } = event.data;
    const brought = broughtKeys(facts, rollout);
    const keys = brought.flat();
    if (brought.length === 0) return [];
    if (!brought.some(({ length }) => length === sources)) {
      return [{ i, what: `it brings ${brought.at(-1)?.length} sources, and ${sources} are told` }];
    }
    if (affected < 1 || affected > NAMES.length) {
      return [{ i, what: `its cause concerns ${affected} workloads, of ${NAMES.length}` }];
    }
    if (cause === undefined) return [{ i, what: "no cause is told" }];
    const key = `${cause.kind}/${cause.namespace}/${cause.name}`;
    if (!keys.includes(key)) return [{ i, what: `${key} is told as its cause, and it is not` }];
    if (!isCalm(facts)) return [];
    const changedAt = (of: string) =>
      facts.changes.findLast(
        ({ at, source }) => source === shortName(of) && at <= rollout.decidedAt,
      )?.at ?? 0;
    const newer = keys.find((other) => changedAt(other) > changedAt(key) + SAME_TIME_MS);
    return newer === undefined ? [] : [{ i, what: `${newer} changed after ${key}, its cause` }];
  });
}

function falsePauses(facts: Facts): Fault[] {
  return eventsOfRollouts(facts).flatMap(({ i, event, rollout }) => {
    const patch = patchOf(facts, rollout, i);
    if (event.outcome !== "started" || patch === undefined) return [];
    const { uid } = patch.object.metadata;
    const isTold = event.data.reason === "Paused";
    const wasSo = facts.writes.some(
      ({ i: at, object }) =>
        object.metadata.uid === uid && patch.i <= at && at <= i && isPaused(object) === isTold,
    );
    const what = isTold ? "it is told as paused, and is not" : "it is paused, and nothing says so";
    return wasSo ? [] : [{ i, what }];
  });
}

/** Every marker says what its rollout brings. */
function falseMarkers({ rollouts }: Facts): Fault[] {
  return [...rollouts.values()].flatMap(({ i, rollout }) => {
    const marked = parseMarker(rollout.marker, NAMESPACE);
    // The time of a restart says nothing.
    if (marked.size === 0) return [];
    const wrong = Object.entries(rollout.wanted).find(
      ([key, { digest }]) =>
        digest !== ABSENT && digest !== UNKNOWN && marked.get(key as never) !== digest,
    );
    if (wrong === undefined) return [];
    return [{ i, what: `the marker has other content of ${wrong[0]} than its rollout` }];
  });
}

const KINDS_OF_FAILURES: Readonly<Record<string, readonly string[]>> = {
  ProgressDeadlineExceeded: ["Deployment", "Rollout"],
  BackoffLimitExceeded: ["Job", "CronJob"],
  DeadlineExceeded: ["Job", "CronJob"],
};

function falseReasons({ events, history }: Facts): Fault[] {
  return events.flatMap(({ i, event }) => {
    const { message = "", reason = "", workload } = event.data;
    if (event.outcome !== "failed") return [];
    const kinds = KINDS_OF_FAILURES[reason];
    if (kinds !== undefined) {
      const what = `failed (${reason}), which no ${workload.kind} does`;
      return kinds.includes(workload.kind) ? [] : [{ i, what }];
    }
    if (message === "") return [{ i, what: `failed (${reason}), without a message` }];
    const isAnswer = history.some(
      (entry, at) => at < i && entry.type === "refused" && entry.reason === reason,
    );
    const isOwn = ["Timeout", "RolloutAborted", "Degraded", "MarkerNotKept"].includes(reason);
    if (isAnswer || isOwn) return [];
    return [{ i, what: `failed (${reason}), which no server has answered` }];
  });
}

/** Whether the marker of a write says what is present, and all of it. */
function isMarkedAsPresent(facts: Facts, { i, marker }: WorkloadWrite): boolean {
  const present = contentAt(facts, i);
  const marked = new Map(
    [...parseMarker(marker, NAMESPACE)].map(([key, digest]) => [shortName(key), digest]),
  );
  return [...new Set([...marked.keys(), ...present.keys()])].every(
    (name) => present.get(name) === marked.get(name),
  );
}

/** Nothing in the world is only reported, but what a suspended Job starts with later. */
function falseSkips(facts: Facts): Fault[] {
  const { changes, events, history, writes } = facts;
  const skips = events.filter(({ event }) => event.outcome === "skipped");
  return skips.flatMap(({ i, event }) => {
    if (event.data.reason !== "Suspended") return [{ i, what: "skipped, and nobody wants that" }];
    // What a Job was made with is not skipped.
    const made = writes.findLast((write) => write.i < i && write.before === undefined);
    const isSince = (other: { readonly i: number }) => (made?.i ?? 0) < other.i && other.i <= i;
    const published = skips.filter(isSince).length;
    // Content may change between the decision to make a Job again and that.
    const isBehind = made?.by === "rollcast" && !isMarkedAsPresent(facts, made);
    // NATS has lost what it was told of, and its stream too.
    const restores = history.filter((entry, at) => isRestore(entry) && isSince({ i: at })).length;
    const most = changes.filter(isSince).length + restores + (isBehind ? 1 : 0);
    return published <= most
      ? []
      : [{ i, what: "skipped is told more often than content changed" }];
  });
}

/** A gate that is told was closed then, or so shortly before that nobody may know better yet. */
function falseGates(facts: Facts): Fault[] {
  return facts.events.flatMap(({ i, event }) => {
    const { reason = "" } = event.data;
    const isOfIt = (entry: ControlEntry | undefined) =>
      reason === "Frozen"
        ? entry?.type === "freeze"
        : entry?.type === "settings" && entry.paused !== undefined;
    if (event.outcome !== "deferred" || !["Frozen", "QueuePaused"].includes(reason)) return [];
    const isClosed = [0, LATE_MS].some((ago) =>
      controlsAt(facts, event.time - ago).some(({ entry }) => isOfIt(entry)),
    );
    const wasClosed = facts.history.some(
      (entry) =>
        entry.type === "control" &&
        entry.at <= event.time &&
        entry.at > event.time - LATE_MS &&
        isOfIt(entry.entry),
    );
    return isClosed || wasClosed
      ? []
      : [{ i, what: `deferred (${reason}), and no gate is closed` }];
  });
}

/** Where only content changes: a plan for each change, with what it is about. */
function falsePlans(facts: Facts): Fault[] {
  const plans = facts.events.filter(({ event }) => event.outcome === "planned");
  const incomplete = plans.find(
    ({ event: { data } }) => data.cause === undefined || data.queue === undefined,
  );
  if (incomplete !== undefined) {
    return [{ i: incomplete.i, what: "planned, without its cause or its queue" }];
  }
  const surplus = plans[facts.changes.length];
  if (surplus === undefined || !isCalm(facts)) return [];
  return [{ i: surplus.i, what: "planned more often than content has changed" }];
}

/** Where only content changes, and nothing keeps the workload waiting. */
function lateStarts(facts: Facts): Fault[] {
  const waits = facts.events.some(({ event }) => ["deferred", "throttled"].includes(event.outcome));
  if (!isCalm(facts) || waits || facts.queue?.maxRolling !== undefined) return [];
  return eventsOfRollouts(facts).flatMap(({ i, event, rollout }) => {
    if (event.outcome !== "started") return [];
    const changed = facts.changes.findLast(({ at }) => at <= rollout.decidedAt)?.at;
    const late = event.time - (changed ?? event.time);
    if (late <= LATE_MS) return [];
    return [{ i, what: `it began ${late / 1_000} s after the change` }];
  });
}

export const DATA: readonly Property[] = [
  {
    name: "data is true",
    says: "an event says when, of which generation, why, for how much and for how long it was, as it was; a marker says what its rollout brings",
    faults: (facts) => [
      ...falseTimes(facts),
      ...falseGenerations(facts),
      ...falseCauses(facts),
      ...falsePauses(facts),
      ...falseMarkers(facts),
      ...falseReasons(facts),
      ...falseGates(facts),
    ],
  },
  {
    name: "nothing is told without cause",
    says: "plans and skips are published once for a change, and a rollout begins soon after it",
    faults: (facts) => [...falseSkips(facts), ...falsePlans(facts), ...lateStarts(facts)],
  },
];
