import { factsOf } from "../oracle/facts.ts";
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

/** Whether a rollout that was applied was called failed for want of an answer. */
function appliedAndFailed(facts: Facts): boolean {
  return facts.events.some(({ i, event }) => {
    const known = facts.rollouts.get(event.data.rollout ?? "");
    if (event.outcome !== "failed" || known === undefined) return false;
    return patchOf(facts, known.rollout, i) !== undefined && event.data.reason === "Timeout";
  });
}

function happened({ history }: Facts, text: string, before: number): boolean {
  return history.some(
    (entry, i) => i < before && entry.type === "act" && entry.text.includes(text),
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
    matches: (facts) => appliedAndFailed(facts),
  },
  {
    name: "restored-backup",
    about: "NATS is restored from a backup of before a rollout",
    breaks: ["rolled once"],
    matches: (facts, { i }) => happened(facts, "NATS is restored", i),
  },
];

/** The findings that a violation belongs to. */
export function findingOf(run: Run, violation: Violation): Finding | undefined {
  const facts = factsOf(run.history);
  return FINDINGS.find(
    ({ breaks, matches }) => breaks.includes(violation.property) && matches(facts, violation),
  );
}
