import { contentAt, factsOf, podsAt } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { patchOf } from "../oracle/truth.ts";
import type { Run } from "../world/run.ts";

/** A way in which the present code breaks the promise, until it is mended. */
export type Finding = {
  /** Its file is `<name>.txt`. */
  readonly name: string;
  readonly about: string;
  /** Parts of the promise that it breaks. */
  readonly breaks: readonly string[];
  /** Whether this violation is of that kind. */
  readonly matches: (facts: Facts, violation: Violation) => boolean;
};

/** Whether the marker was written by somebody else while a rollout was under way. */
function markerTakenMidway(facts: Facts, until: number): boolean {
  return facts.writes.some((write) => {
    if (write.by === "rollcast" || write.by === "cluster" || !write.markerChanged) return false;
    if (write.i > until || write.before === undefined) return false;
    const patch = facts.writes.findLast(
      ({ i, by, markerChanged }) => i < write.i && by === "rollcast" && markerChanged,
    );
    if (patch === undefined) return false;
    return !facts.events.some(
      ({ i, event }) => event.outcome === "succeeded" && i > patch.i && i < write.i,
    );
  });
}

function mutatedByAdmission({ writes }: Facts): boolean {
  return writes.some(({ by, templateChanged }) => by === "rollcast" && templateChanged);
}

/** Whether a rollout that was applied failed by its events, for this reason. */
function appliedAndFailed(facts: Facts, reason: string): boolean {
  return facts.events.some(({ i, event }) => {
    const known = facts.rollouts.get(event.data.rollout ?? "");
    if (event.outcome !== "failed" || known === undefined) return false;
    return patchOf(facts, known.rollout, i) !== undefined && event.data.reason === reason;
  });
}

function happened({ history }: Facts, text: string, before: number): boolean {
  return history.some(
    (entry, i) => i < before && entry.type === "act" && entry.text.includes(text),
  );
}

/** Whether a pod at the end was made between two changes, of which the second brought the content before the first back. */
function isContentBack(facts: Facts): boolean {
  const present = contentAt(facts, facts.history.length);
  const uid = facts.workload?.metadata.uid ?? "";
  return podsAt(facts, uid, facts.history.length).some(({ content, from }) =>
    [...present].some(
      ([source, digest]) =>
        content.get(source) !== digest &&
        facts.changes.some(
          (change) => change.i < from && change.source === source && change.digest === digest,
        ),
    ),
  );
}

const OPT_IN = "rollcast.dev/auto";

/** Whether the workload was opted out between a rollout's decision and its start. */
function optedOutBeforeStart({ events, rollouts, writes }: Facts, start: number): boolean {
  const event = events.find(({ i }) => i === start)?.event;
  const decidedAt = rollouts.get(event?.data.rollout ?? "")?.rollout.decidedAt;
  return writes.some(
    ({ i, at, before, object }) =>
      i < start &&
      decidedAt !== undefined &&
      at >= decidedAt &&
      before?.metadata.annotations?.[OPT_IN] === "true" &&
      object.metadata.annotations?.[OPT_IN] !== "true",
  );
}

export const FINDINGS: readonly Finding[] = [
  {
    name: "lost-race-is-failed",
    about: "a patch that is refused because another writer was faster is published as failed",
    breaks: ["failed is true"],
    matches: (_facts, { what }) => what.includes("somebody else's write was faster"),
  },
  {
    name: "marker-removed-midway",
    about: "the marker is taken off, or put back to an older one, in the middle of a rollout",
    breaks: ["succeeded is true", "nothing is forgotten"],
    matches: (facts, { i }) => markerTakenMidway(facts, i),
  },
  {
    name: "marker-not-kept",
    about: "admission removes the marker from the restarter's own patch",
    breaks: ["succeeded is true", "agree", "nothing is forgotten"],
    matches: (facts, { i }) => happened(facts, "removes our annotation", i),
  },
  {
    name: "admission-mutates",
    about: "admission changes the template within the restarter's own patch",
    breaks: ["superseded is true"],
    matches: (facts) => mutatedByAdmission(facts),
  },
  {
    name: "ambiguous-last-try",
    about: "the last try of a patch is applied, and its answer is lost",
    breaks: ["failed is true", "rolled once", "agree"],
    matches: (facts) => appliedAndFailed(facts, "Timeout"),
  },
  {
    name: "lost-race-with-itself",
    about:
      "a patch that was applied without an answer is tried again, and its own guard refuses it",
    breaks: ["failed is true", "rolled once", "agree"],
    matches: (facts) => appliedAndFailed(facts, "Invalid"),
  },
  {
    name: "opted-out-before-patch",
    about: "a workload is opted out between the decision and its patch, and its record is removed",
    breaks: ["one end"],
    matches: (facts, { i }) => optedOutBeforeStart(facts, i),
  },
  {
    name: "content-back-after-edit",
    about:
      "pods are made between two changes that the restarter sees together, and the second brings back what its record has",
    breaks: ["nothing is forgotten"],
    matches: (facts) => isContentBack(facts),
  },
  {
    name: "restored-backup",
    about: "NATS is restored from a backup of before a rollout",
    breaks: ["rolled once", "one end"],
    matches: ({ history }) =>
      history.some(
        ({ type, ...entry }) =>
          type === "act" && "text" in entry && entry.text.startsWith("NATS is restored"),
      ),
  },
];

/** The findings that a violation belongs to. */
export function findingOf(run: Run, violation: Violation): Finding | undefined {
  const facts = factsOf(run.history);
  return FINDINGS.find(
    ({ breaks, matches }) => breaks.includes(violation.property) && matches(facts, violation),
  );
}
