import { factsOf } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import { PROPERTIES } from "../oracle/oracle.ts";
import type { Violation } from "../oracle/property.ts";
import type { Run } from "../run/run.ts";
import {
  isMarkerTakenOfLeft,
  isNormalised,
  isNormalisedUnrecorded,
  isRolledForNormalised,
} from "./markers.ts";
import { isMadeBeforeChangeIsKnown } from "./contents.ts";
import {
  isBegunBeforeRestore,
  isChangeTimeLost,
  isCreatedAfterRestore,
  isEndedAgainAfterRestore,
  isHaltForgotten,
  isManifestLost,
  isQuotaForgotten,
  isRestartedTooEarly,
  isRecordRestored,
  isRestoredMidway,
  isRunForgotten,
  isRunGone,
  isStartForgotten,
} from "./restores.ts";
import { lacksOf } from "./lacks.ts";
import type { OfOneLack } from "./lacks.ts";
import { isGoneUnrecorded } from "./outages.ts";
import { isMadeJobDeleted } from "./jobs.ts";

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

export const FINDINGS: readonly Finding[] = [
  {
    name: "made-again-in-outage",
    about:
      "a workload is made while the watch of sources or NATS does not answer, and rolled for a change of before, which is recorded later",
    breaks: ["rolled once"],
    matches: (facts, { i }) => isMadeBeforeChangeIsKnown(facts, i),
  },
  {
    name: "marker-removed-from-left-pods",
    about:
      "the marker is taken off at rest, and pods that wait for their owner are then named by nobody",
    breaks: ["nothing is forgotten"],
    matches: isMarkerTakenOfLeft,
  },
  {
    name: "gone-before-the-record",
    about:
      "a workload is deleted, or replaced, before a record says that its rollout has begun: only what was planned of it has an end",
    breaks: ["agree", "one end"],
    matches: isGoneUnrecorded,
  },
  {
    name: "restored-backup",
    about: "NATS is restored from a backup of before a rollout",
    breaks: [
      "one end",
      "agree",
      "nothing is forgotten",
      "succeeded is true",
      "records are true",
      "limited",
      "halted",
      "rolled once",
    ],
    matches(facts, violation) {
      const isMarked = ["Deployment", "StatefulSet", "DaemonSet"].includes(
        facts.workload?.kind ?? "",
      );
      const { property } = violation;
      if (isMarked && property === "agree") {
        return isStartForgotten(facts, violation) || isBegunBeforeRestore(facts, violation.i);
      }
      if (isMarked && property === "records are true") return false;
      if (property === "rolled once") return isRunGone(facts, violation.i);
      if (violation.property === "limited") return isQuotaForgotten(facts, violation.i);
      if (violation.property === "halted") return isHaltForgotten(facts, violation.i);
      if (isRestartedTooEarly(facts, violation)) return true;
      if (property === "nothing is forgotten" && isChangeTimeLost(facts, violation)) return true;
      if (property === "nothing is forgotten" && isCreatedAfterRestore(facts, violation))
        return true;
      if (violation.property === "succeeded is true") return false;
      const isForgotten = /^pods lack|is current by its record/.test(violation.what);
      if (isForgotten && isRunForgotten(facts, violation)) return true;
      if (violation.property === "agree") {
        return isStartForgotten(facts, violation) || isBegunBeforeRestore(facts, violation.i);
      }
      if (violation.property === "one end") return isRestoredMidway(facts, violation.i);
      return isRecordRestored(facts, violation);
    },
  },
  {
    name: "controller-normalises",
    about:
      "Argo's controller writes a Rollout's template in its own form after the restarter's patch, or before a change is recorded, and that is taken for an edit",
    breaks: ["superseded is true", "nothing is forgotten", "rolled once"],
    matches: (facts, violation) =>
      violation.property === "rolled once"
        ? isRolledForNormalised(facts, violation.i)
        : isNormalised(facts, violation) || isNormalisedUnrecorded(facts, violation),
  },
  {
    name: "deleted-job-is-lost",
    about:
      "NATS is restored while a Job is made again, and the answer to its deletion is lost: its manifest was in its record, and the Job is gone",
    breaks: ["records are true"],
    matches: isManifestLost,
  },
  {
    name: "made-job-is-deleted",
    about:
      "a restarter dies before it records the Job that it has made again, whose owner deletes it at once: it is taken for one that was not made",
    breaks: ["rolled once"],
    matches: (facts, { i }) => isMadeJobDeleted(facts, i),
  },
  {
    name: "restored-while-rolling",
    about: "NATS is restored from a backup of the middle of a rollout, which then ends once more",
    breaks: ["agree", "records are true"],
    matches: (facts, { i, property, what }) =>
      property === "agree"
        ? isEndedAgainAfterRestore(facts, i)
        : what.startsWith("the record says") &&
          facts.history.some((_, at) => isEndedAgainAfterRestore(facts, at)),
  },
];

function findingIn(facts: Facts, violation: OfOneLack): Finding | undefined {
  return FINDINGS.find(
    ({ breaks, matches }) => breaks.includes(violation.property) && matches(facts, violation),
  );
}

/**
 * The finding that a violation belongs to. Where pods lack several sources, each for a reason of
 * its own, it is the finding of the first, if all have one.
 */
export function findingOf(run: Run, violation: Violation): Finding | undefined {
  const ofAll = PROPERTIES.find(({ name }) => name === violation.property)?.ofAll;
  const facts = factsOf(run.history, ofAll === true ? undefined : violation.workload);
  const ofWhole = findingIn(facts, violation);
  if (ofWhole !== undefined) return ofWhole;
  const each = lacksOf(facts, violation).map((only) => findingIn(facts, { ...violation, only }));
  return each.includes(undefined) ? undefined : each[0];
}
