import { ABSENT, UNKNOWN } from "../../../src/model/content.ts";
import type { WorkloadRecord } from "../../../src/model/workload-record.ts";
import { isGate } from "../../../src/decision/blocking-gate.ts";
import { isComplete } from "./complete.ts";
import { contentAt, podsAt } from "./facts.ts";
import type { Facts } from "./facts.ts";
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

/** The sources of which a pod of the workload lacks the present content, at the end. */
export function staleSources(facts: Facts, uid: string): string[] {
  const i = facts.history.length;
  const since = adoptedAt(facts);
  const stale = [...contentAt(facts, i)].filter(
    ([source, digest]) =>
      facts.changes.some((change) => change.source === source && change.i > since) &&
      podsAt(facts, uid, i).some(({ content }) => content.get(source) !== digest),
  );
  return stale.map(([source]) => source);
}

/** Why the workload is not rolled, and until when or which gate opens, as its record says. */
function explanation({ due, failure, hold, phase }: WorkloadRecord): string | undefined {
  if (due !== undefined)
    return due.at === undefined && !isGate(due.reason) ? undefined : due.reason;
  if (failure !== undefined && failure.retryAt > 0) return failure.reason;
  if (hold !== undefined) return hold;
  return phase === "rolling" ? "rolling" : undefined;
}

function forgotten(facts: Facts): Fault[] {
  const { workload, history } = facts;
  if (workload === undefined || workload.metadata.annotations?.[OPT_IN] !== "true") return [];
  const { uid } = workload.metadata;
  const i = history.length - 1;
  const record = recordOf(facts, uid);
  if (record === undefined) return [{ i, what: "an opted-in workload has no record" }];
  // Pods that do not get ready keep the others from being replaced.
  if (workload.spec?.paused === true || !isComplete(workload)) return [];
  const stale = staleSources(facts, uid);
  if (stale.length > 0 && explanation(record) === undefined) {
    const what = `pods lack the content of ${stale.join()}, and the record says ${record.phase}, without a reason`;
    return [{ i, what }];
  }
  const held = record.due?.reason ?? record.hold;
  const isPublished = facts.events.some(
    ({ event }) => event.data.reason === held || event.outcome === "failed",
  );
  if (held !== undefined && !isPublished) {
    return [{ i, what: `the rollout is held (${held}), and no event says so` }];
  }
  return [];
}

function wrongRecords(facts: Facts): Fault[] {
  const i = facts.history.length - 1;
  const present = contentAt(facts, i);
  return [...facts.records.values()].flatMap((record) => {
    const { kind, name, outbox, phase, running, uid } = record;
    if (facts.workload?.metadata.uid !== uid)
      return [{ i, what: "a workload that is gone has a record" }];
    if (outbox.length > 0)
      return [{ i, what: `${kind}/${name} has events that are not published` }];
    if (phase !== "current") return [];
    const wrong = Object.entries(running).filter(([key, { digest }]) => {
      const [sourceKind, , sourceName] = key.split("/");
      const now = present.get(`${sourceKind}/${sourceName}`);
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
    says: "at rest, pods run the present content, or the record and an event say why not and until when",
    faults: forgotten,
  },
  {
    name: "records are true",
    says: "at rest, records are of workloads that exist, say what their pods run, and hold no events back",
    faults: wrongRecords,
  },
];
