import { ABSENT, UNKNOWN, parseMarker } from "../../../src/model/content.ts";
import type { SourceKey } from "../../../src/model/content.ts";
import type { WorkloadRecord } from "../../../src/model/workload-record.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { NAMESPACE } from "../world/config.ts";
import { isBatch, isComplete, isReplaced, isSurplus } from "./complete.ts";
import { contentAt, isPatch, podsAt, shortName, templateOf } from "./facts.ts";
import type { Facts } from "./facts.ts";
import { REQUIRED } from "./pods.ts";
import type { Pod } from "./pods.ts";
import { isEnd } from "./ends.ts";
import { explanation } from "./holds.ts";
import type { Fault, Property } from "./property.ts";

const OPT_IN = "rollcast.dev/auto";

function recordOf({ records }: Facts, uid: string): WorkloadRecord | undefined {
  return [...records.values()].find((record) => record.uid === uid);
}

/** When the restarter took the content of a workload that was opted in by an edit as it was. */
function adoptedAt({ history, writes }: Facts): number {
  const optIn = writes.findLast(
    ({ before, object }) =>
      object.metadata.annotations?.[OPT_IN] === "true" &&
      before?.metadata.annotations?.[OPT_IN] !== "true",
  );
  if (optIn?.before === undefined) return 0;
  const record = history.findIndex((entry, i) => i > optIn.i && entry.type === "record");
  return record === -1 ? history.length : record;
}

/** The sources of which one of the workload's pods lacks the present content, at the end. */
export function staleSources(facts: Facts, pods: readonly Pod[]): string[] {
  const since = adoptedAt(facts);
  const stale = [...contentAt(facts, facts.history.length)].filter(
    ([source, digest]) =>
      facts.changes.some((change) => change.source === source && change.i > since) &&
      pods.some(({ content }) => content.get(source) !== digest),
  );
  return stale.map(([source]) => source);
}

/**
 * The content that a Job or a CronJob has run with last; undefined where nothing has run yet, or a
 * Job waits for its owner to resume it.
 */
function lastRun(facts: Facts, { kind, metadata, spec }: KubeObject) {
  if (kind === "Job") {
    const newest = facts.pods.findLast(({ owner }) => owner === metadata.uid);
    return spec?.suspend === true ? undefined : newest?.content;
  }
  const run = facts.writes.findLast(
    (write) =>
      write.object.metadata.uid === metadata.uid && (write.before === undefined || isPatch(write)),
  );
  if (run === undefined) return undefined;
  const content = contentAt(facts, run.i);
  if (content.has(REQUIRED)) return content;
  // Its pod waits for the required source, and starts with what is there then.
  const started = facts.pods.find((pod) => {
    return pod.from > run.i && pod.owner === metadata.uid && pod.content.has(REQUIRED);
  });
  if (started !== undefined) return started.content;
  // None has: it lacks nothing else than what came since.
  const required = contentAt(facts, facts.history.length).get(REQUIRED);
  return required === undefined ? content : new Map([...content, [REQUIRED, required]]);
}

/**
 * The sources whose present content a Job or CronJob has not run with. A CronJob that was made and
 * has not run yet lacks nothing of what its record knows: it will run with what is present then.
 */
function unrunSources(facts: Facts, workload: KubeObject): string[] {
  const content = lastRun(facts, workload);
  if (content === undefined) return [];
  const pod: Pod = { name: "", owner: "", from: 0, until: 0, content };
  const stale = staleSources(facts, [pod]);
  const { uid } = workload.metadata;
  const hasRun = facts.writes.some((write) => isPatch(write) && write.object.metadata.uid === uid);
  if (workload.kind === "Job" || hasRun) return stale;
  const present = contentAt(facts, facts.history.length);
  const running = recordOf(facts, uid)?.running ?? {};
  return stale.filter((source) => running[keyOf(source)]?.digest !== present.get(source));
}

/** The key that records have for a source of a history. */
function keyOf(source: string): SourceKey {
  const [kind, name] = source.split("/");
  return `${kind}/${NAMESPACE}/${name}` as SourceKey;
}

/**
 * Whether pods that their owner deletes will get the present content of a source by our doing: the
 * template is marked with it, or was by the last rollout, whose end left these pods to their owner.
 */
function isMarked(
  facts: Facts,
  { object, pods }: { object: KubeObject; pods: readonly Pod[] },
  source: string,
): boolean {
  const digest = contentAt(facts, facts.history.length).get(source);
  const key = keyOf(source);
  const { marker } = templateOf(object);
  if (digest !== undefined && marker !== undefined) {
    const marked = parseMarker(marker, NAMESPACE).get(key);
    if (marked === digest) return true;
  }
  const ended = facts.events.findLast(({ event }) => event.outcome === "succeeded");
  const wanted = facts.rollouts.get(ended?.event.data.rollout ?? "")?.rollout.wanted[key];
  const isNewer = ({ content, from }: Pod) =>
    content.get(source) !== digest && from > (ended?.i ?? 0);
  return wanted?.digest === digest && !pods.some(isNewer);
}

function forgotten(facts: Facts): Fault[] {
  const { workload, history } = facts;
  if (workload === undefined || workload.metadata.annotations?.[OPT_IN] !== "true") return [];
  const { uid } = workload.metadata;
  const i = history.length - 1;
  const record = recordOf(facts, uid);
  if (record === undefined) return [{ i, what: "an opted-in workload has no record" }];
  const pods = podsAt(facts, uid, history.length);
  // Pods that do not get ready, or are not made, keep the others from being replaced or removed.
  if (workload.spec?.paused === true || !isComplete(workload)) return [];
  if (pods.some(({ name }) => isSurplus(workload, name))) return [];
  const [replaced, owners] = [true, false].map((byController) =>
    pods.filter(({ name }) => isReplaced(workload, name) === byController),
  );
  const stale = isBatch(workload)
    ? unrunSources(facts, workload)
    : staleSources(facts, replaced ?? []);
  const left = isBatch(workload) ? [] : (owners ?? []);
  const unmarked = staleSources(facts, left).filter(
    (source) => !isMarked(facts, { object: workload, pods: left }, source),
  );
  if (unmarked.length > 0 && explanation(facts, record) === undefined) {
    const what = `pods that wait for their owner lack the content of ${unmarked.join()}, and nothing says so`;
    return [{ i, what }];
  }
  if (stale.length > 0 && explanation(facts, record) === undefined) {
    const what = `pods lack the content of ${stale.join()}, and the record says ${record.phase}, without a reason`;
    return [{ i, what }];
  }
  return [];
}

function wrongRecords(facts: Facts): Fault[] {
  const i = facts.history.length - 1;
  const present = contentAt(facts, i);
  const written = facts.writes.at(-1);
  const isLost = written?.deleted === true && written.by === "rollcast" && facts.records.size === 0;
  if (isLost) return [{ i, what: "a Job is deleted and made again by nobody" }];
  return [...facts.records.values()].flatMap((record) => {
    const { kind, last, name, outbox, phase, running, uid } = record;
    if (record.recreate !== undefined) {
      const what = "a deleted Job is not made again, and its record does not say why";
      return record.failure === undefined ? [{ i, what }] : [];
    }
    if (facts.workload?.metadata.uid !== uid)
      return [{ i, what: "a workload that is gone has a record" }];
    const end = facts.events.findLast(({ event }) => isEnd(event.outcome));
    const isOfIt = last !== undefined && end?.event.data.rollout === last.rollout;
    if (isOfIt && end?.event.outcome !== last.outcome)
      return [
        { i, what: `the record says ${last.outcome} of a rollout that ${end?.event.outcome}` },
      ];
    const isEdited = facts.writes.some(
      (write) => write.i > (end?.i ?? 0) && !["rollcast", "cluster"].includes(write.by),
    );
    // What was refused before it began is over when that content is no longer wanted.
    const hasBegun = facts.events.some(
      ({ event }) => event.outcome === "started" && event.data.rollout === last?.rollout,
    );
    if (isOfIt && hasBegun && last.outcome === "failed" && phase === "current" && !isEdited)
      return [{ i, what: "a record is current after its rollout has failed" }];
    if (outbox.length > 0)
      return [{ i, what: `${kind}/${name} has events that are not published` }];
    if (phase !== "current") return [];
    const wrong = Object.entries(running).filter(([key, { digest }]) => {
      const now = present.get(shortName(key));
      return digest !== ABSENT && digest !== UNKNOWN && now !== undefined && now !== digest;
    });
    if (wrong.length === 0) return [];
    return [
      {
        i,
        what: `${kind}/${name} is current by its record, with older content of ${wrong[0]?.[0]}`,
      },
    ];
  });
}

export const REST: readonly Property[] = [
  {
    name: "nothing is forgotten",
    says: "at rest, pods run the present content, or the record says why not and until when",
    faults: forgotten,
  },
  {
    name: "records are true",
    says: "at rest, records are of workloads that exist, say what their pods run, and hold no events back",
    faults: wrongRecords,
  },
];
