import { ADMISSION, REMOVES_MARKER } from "../acts/act.ts";
import { ABSENT, UNKNOWN } from "../../../src/model/content.ts";
import type { Rollout } from "../../../src/model/workload-record.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { isBatch, isComplete, isReplaced } from "./complete.ts";
import { leftOutOf, namedIn } from "./left-pods.ts";
import { contentAt, isPatch, podsAt, shortName, workloadAt } from "./facts.ts";
import type { Facts, WorkloadWrite } from "./facts.ts";
import { wasFailed } from "./shown-end.ts";
import type { Fault, Property } from "./property.ts";

/** The restarter's last write before place `i` in the history that applied a rollout. */
export function patchOf({ writes }: Facts, rollout: Rollout, i: number): WorkloadWrite | undefined {
  return writes.findLast(
    (write) =>
      write.i < i &&
      write.at >= rollout.decidedAt &&
      isPatch(write) &&
      write.marker === rollout.marker,
  );
}

/** A rollout as each record has it, in the order of their writes. */
export function recordingsOf({ history }: Facts, id: string): Rollout[] {
  return history.flatMap((entry) => {
    if (entry.type !== "record" || entry.record?.rollout?.id !== id) return [];
    return [entry.record.rollout];
  });
}

/** The digests that a rollout wants, by source. */
export function wantedBy({ wanted }: Rollout): Map<string, string> {
  return new Map(
    Object.entries(wanted)
      .filter(([, { digest }]) => digest !== ABSENT && digest !== UNKNOWN)
      .map(([key, { digest }]) => [shortName(key), digest]),
  );
}

/** Whether sources have these contents at a place in the history. */
export function arePresent(facts: Facts, contents: Rollout["wanted"], i: number): boolean {
  const present = contentAt(facts, i);
  return Object.entries(contents).every(
    ([key, { digest }]) => digest === (present.get(shortName(key)) ?? ABSENT),
  );
}

/** The sources whose wanted content a pod of before the rollout lacks. */
export function lacking(content: ReadonlyMap<string, string>, rollout: Rollout): string[] {
  return [...wantedBy(rollout)].flatMap(([source, digest]) =>
    content.get(source) === digest ? [] : [source],
  );
}

/** Whether the Job that a rollout has run or made again was complete before this place. */
function isJobComplete(
  facts: Facts,
  { rollout, uid }: { rollout: Rollout; uid: string },
  i: number,
) {
  const run = facts.jobs.findLast(({ i: at, job }) => at < i && job.metadata.name === rollout.job);
  const job = run?.job ?? workloadAt(facts, uid, i);
  const conditions = job?.status?.conditions as readonly { type?: string; status?: string }[];
  return conditions?.some(({ type, status }) => type === "Complete" && status === "True") === true;
}

/** A pod of a StatefulSet that is scaled down, and has not gone yet. */
function isSurplus(object: KubeObject | undefined, { name }: { readonly name: string }): boolean {
  const ordinal = Number(name.split("-").at(-1));
  return object?.kind === "StatefulSet" && ordinal >= Number(object.spec?.replicas ?? 1);
}

function falseSuccesses(facts: Facts): Fault[] {
  return facts.events.flatMap(({ i, event }) => {
    const { workload, rollout: id = "" } = event.data;
    const rollout = facts.rollouts.get(id)?.rollout;
    if (event.outcome !== "succeeded" || rollout === undefined) return [];
    const object = workloadAt(facts, workload.uid, i);
    if (object !== undefined && isBatch(object)) {
      const isTrue = isJobComplete(facts, { rollout, uid: workload.uid }, i);
      return isTrue ? [] : [{ i, what: "succeeded, but its Job is not complete" }];
    }
    // A workload that is scaled to nothing should run no pod, whichever still ends.
    if (object?.spec?.replicas === 0) return [];
    const began = patchOf(facts, rollout, i)?.i ?? Number.POSITIVE_INFINITY;
    const wasComplete = facts.writes.some(
      ({ i: at, object: other }) =>
        began <= at && at < i && other.metadata.uid === workload.uid && isComplete(other),
    );
    if (object?.kind === "Deployment" && began < i && !wasComplete)
      return [{ i, what: "succeeded, but it was never complete" }];
    const present = contentAt(facts, i);
    const old = podsAt(facts, workload.uid, i)
      .filter((pod) => pod.from < began && !isSurplus(object, pod))
      .map(({ name, content }) => ({
        name,
        // What is gone by then no pod can be given.
        sources: lacking(content, rollout).filter((source) => present.has(source)),
      }))
      .filter(({ sources }) => sources.length > 0);
    const isOwners = ({ name }: { name: string }) =>
      object !== undefined && !isReplaced(object, name);
    const wrong = old.find((pod) => !isOwners(pod));
    if (wrong !== undefined) {
      return [{ i, what: `succeeded, but a pod lacks the content of ${wrong.sources.join()}` }];
    }
    const names = old.map(({ name }) => name);
    // What is made while the event waits to be published may have the name of an old one.
    const fresh = podsAt(facts, workload.uid, i).filter(
      ({ from }) => from > began && (facts.history[from]?.at ?? 0) <= event.time,
    );
    // Below a partition a pod is made anew from the old template.
    const isByTemplate = event.data.reason === "OnDelete";
    const wrongly = namedIn(event.data.message ?? "").find(
      (named) => isByTemplate && fresh.some(({ name }) => name === named),
    );
    if (wrongly !== undefined) {
      return [{ i, what: `succeeded, but its message names ${wrongly}, which is new` }];
    }
    return leftOutOf(event, names).map((what) => ({ i, what }));
  });
}

/** Whether admission has taken the marker off what is written, before a place in the history. */
function isUnmarking({ history }: Facts, i: number): boolean {
  return history
    .slice(0, i)
    .some(
      (entry) =>
        entry.type === "act" &&
        entry.text.startsWith(ADMISSION) &&
        entry.text.endsWith(REMOVES_MARKER),
    );
}

const GUARD = "the server rejected our request due to an error in our request";
const BY_STATUS = new Set(["ProgressDeadlineExceeded", "BackoffLimitExceeded", "DeadlineExceeded"]);

function falseFailures(facts: Facts): Fault[] {
  return facts.events.flatMap(({ i, event }) => {
    const { rollout: id = "", reason = "", message = "", workload } = event.data;
    const rollout = facts.rollouts.get(id)?.rollout;
    if (event.outcome !== "failed" || rollout === undefined) return [];
    if (BY_STATUS.has(reason)) {
      if (wasFailed(facts, { uid: workload.uid, rollout }, i)) return [];
      return [{ i, what: `failed (${reason}), and the cluster has not shown that` }];
    }
    if (reason === "MarkerNotKept") {
      if (isUnmarking(facts, i) && patchOf(facts, rollout, i) === undefined) return [];
      return [{ i, what: "failed (MarkerNotKept), and nothing removes the marker" }];
    }
    const before = facts.history.slice(0, i);
    const lost = before.filter(({ type }) => type === "lost").length;
    if (reason === "Timeout" && lost < (facts.queue?.attempts ?? 1)) {
      return [{ i, what: `failed (${reason}) after ${lost} answers were lost` }];
    }
    if (reason !== "Timeout" && !before.some(({ type }) => type === "refused")) {
      return [{ i, what: `failed (${reason}), but nothing was refused` }];
    }
    if (patchOf(facts, rollout, i) !== undefined) {
      return [{ i, what: `failed (${reason}), but the patch was applied` }];
    }
    if (message.includes(GUARD)) {
      return [{ i, what: `failed (${reason}), but only somebody else's write was faster` }];
    }
    return [];
  });
}

export const TRUTH: readonly Property[] = [
  {
    name: "succeeded is true",
    says: "`succeeded` is published only while every pod that should run runs the wanted content, or waits for its owner and is named",
    faults: falseSuccesses,
  },
  {
    name: "failed is true",
    says: "`failed` is published only of what was refused, had no answer and was not applied, or did not get ready",
    faults: falseFailures,
  },
];
