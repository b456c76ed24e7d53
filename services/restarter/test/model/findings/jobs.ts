import { OPT_IN } from "./patches.ts";
import { isPatch } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";

/**
 * Whether the Job of a CronJob that the violation is about, which it says began, or the last one,
 * was dropped from its record before it began.
 */
export function isRunDropped(facts: Facts, violation: Violation): boolean {
  const { events, history, writes } = facts;
  const runs = writes.filter((write) => isPatch(write) && write.object.kind === "CronJob");
  const isOfEnd = violation.what.startsWith("pods lack the content");
  const id = events.find(({ i }) => i === violation.i)?.event.data.rollout;
  // What was decided for it before the event: an interrupted rollout keeps its id.
  const begun = history
    .slice(0, violation.i)
    .flatMap((entry) => (entry.type === "record" && entry.record?.rollout) || [])
    .findLast((rollout) => rollout.id === id);
  const run = isOfEnd
    ? runs.at(-1)
    : runs.findLast(
        ({ i, at, marker }) =>
          i === violation.i ||
          (i < violation.i && at >= (begun?.decidedAt ?? at) && marker === begun?.marker),
      );
  if (run === undefined) return false;
  const recordAt = (entry: Facts["history"][number] | undefined) =>
    entry?.type === "record" ? entry.record : undefined;
  const before = recordAt(history.findLast((entry, i) => i < run.i && entry.type === "record"));
  const after = recordAt(history.find((entry, i) => i > run.i && entry.type === "record"));
  const isPending = before?.phase === "pending" && before.rollout?.marker === run.marker;
  return isPending && after !== undefined && after.rollout?.marker !== run.marker;
}

/** Whether a Job was skipped as suspended after it had been resumed. */
export function isSkippedAfterResume({ events, workload, writes }: Facts): boolean {
  const skipped = events.findLast(({ event }) => event.data.reason === "Suspended");
  const before = writes.findLast(({ i }) => i < (skipped?.i ?? 0));
  return workload?.kind === "Job" && before !== undefined && before.object.spec?.suspend !== true;
}

/** Whether a Job that is told as not made again has not been deleted. */
export function isJobThere({ records, workload }: Facts, what: string): boolean {
  if (!what.startsWith("a deleted Job is not made again") || workload?.kind !== "Job") return false;
  return [...records.values()].some(({ uid }) => uid === workload.metadata.uid);
}

/** Whether a Job that was opted out is there, and its record still has its manifest. */
export function isManifestKept(facts: Facts, { what }: Violation): boolean {
  const { annotations } = facts.workload?.metadata ?? {};
  return isJobThere(facts, what) && annotations?.[OPT_IN] !== "true";
}
