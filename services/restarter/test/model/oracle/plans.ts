import { ABSENT, UNKNOWN } from "../../../src/model/content.ts";
import type { OutboxEvent, WorkloadRecord } from "../../../src/model/workload-record.ts";
import { isCalm } from "./ends.ts";
import { isRestore } from "./facts.ts";
import type { Facts } from "./facts.ts";
import type { Fault, Property } from "./property.ts";

/**
 * Whether a rollout brings what its record had before: pods may lack it that were made while there
 * was other content for a moment, and no change of a source asks for it.
 */
function bringsNoNews({ history, rollouts }: Facts, { data }: OutboxEvent): boolean {
  const { i = 0, rollout } = rollouts.get(data.rollout ?? "") ?? {};
  const entry = history.findLast((other, at) => {
    if (at >= i || other.type !== "record") return false;
    return other.record?.uid === data.workload.uid && other.record.rollout?.id !== data.rollout;
  });
  const running = entry?.type === "record" ? entry.record?.running : undefined;
  const wanted = Object.entries(rollout?.wanted ?? {});
  return running !== undefined && wanted.every(([key, to]) => running[key]?.digest === to.digest);
}

/** Rollouts that began unannounced, where nothing comes between a change and its event. */
function unplanned(facts: Facts): Fault[] {
  if (!isCalm(facts)) return [];
  let previous = 0;
  return facts.events.flatMap(({ i, event }) => {
    if (event.outcome !== "started") return [];
    const since = previous;
    previous = facts.rollouts.get(event.data.rollout ?? "")?.rollout.decidedAt ?? previous;
    if (bringsNoNews(facts, event)) return [];
    const isPlanned = facts.events.some(
      (other) => other.i < i && other.event.outcome === "planned" && other.event.time >= since,
    );
    return isPlanned ? [] : [{ i, what: "a rollout began, and no event has said it is planned" }];
  });
}

/** Whether a record says of a source that it has other content now, and by no rollout. */
function isPassedOver({ rollouts }: Facts, before: WorkloadRecord, after: WorkloadRecord): boolean {
  if (before.uid !== after.uid || before.recreate !== undefined) return false;
  return Object.entries(after.running).some(([key, { digest }]) => {
    const old = before.running[key]?.digest;
    if (old === undefined || old === digest) return false;
    if ([old, digest].some((either) => either === ABSENT || either === UNKNOWN)) return false;
    return ![...rollouts.values()].some(({ rollout }) => rollout.wanted[key]?.digest === digest);
  });
}

/** Content that a suspended Job will start with, of which no event says that it is not rolled. */
function untoldSkips(facts: Facts): Fault[] {
  const records = new Map<string, WorkloadRecord>();
  return facts.history.flatMap((entry, i) => {
    if (entry.type !== "record" && entry.type !== "restored record") return [];
    const before = records.get(entry.key);
    const after = entry.record;
    if (after === undefined) records.delete(entry.key);
    else records.set(entry.key, after);
    if (entry.type === "restored record" || before === undefined || after?.kind !== "Job")
      return [];
    if (!isPassedOver(facts, before, after)) return [];
    const isTold = facts.events.some((other) => other.i > i && other.event.outcome === "skipped");
    return isTold ? [] : [{ i, what: "a Job is not rolled for new content, and no event says so" }];
  });
}

/** What comes of a plan, sooner or later. */
const ENDS_PLAN = new Set(["started", "succeeded", "failed", "superseded", "cancelled", "skipped"]);

/** Where a plan was recorded, which is before it is published; else where it was published. */
function recordedAt({ history }: Facts, { i: published, event }: Facts["events"][number]): number {
  const { uid } = event.data.workload;
  const written = history.findLastIndex(
    (entry, i) => i < published && entry.type === "record" && entry.record?.uid === uid,
  );
  const entry = history[written];
  return entry?.type === "record" && entry.record?.planned !== undefined ? written : published;
}

/** Plans of which nothing more is told, though nothing waits any more. */
function endlessPlans(facts: Facts): Fault[] {
  const { events, history, records } = facts;
  const last = events.findLast(({ event }) => event.outcome === "planned");
  if (last === undefined) return [];
  // One that is published late is older than what it was overtaken by.
  const isOver = events.some(
    ({ event }) => ENDS_PLAN.has(event.outcome) && event.time >= last.event.time,
  );
  const present = [...records.values()].find(({ uid }) => uid === last.event.data.workload.uid);
  const isRefused = present?.phase === "failed" && present.failure !== undefined;
  const waits = present !== undefined && present.phase !== "current" && !isRefused;
  // Nobody knows of a plan that NATS has lost.
  const isLost = history.slice(recordedAt(facts, last)).some(isRestore);
  if (isOver || waits || isLost) return [];
  return [{ i: last.i, what: "a rollout was planned, and nothing says what became of it" }];
}

export const PLANS: readonly Property[] = [
  {
    name: "plans are told",
    says: "a rollout is published as planned before it begins, and what becomes of each plan",
    faults: (facts) => [...unplanned(facts), ...untoldSkips(facts), ...endlessPlans(facts)],
  },
];
