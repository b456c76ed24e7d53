import { outcomeOf, timeOf } from "../evidence/evidence.ts";
import type { Comparison, Disagreement, Evidence, Pod, Write } from "../evidence/evidence.ts";
import { contentAt, digestsOf, patchesOf, rolloutsOf, versionsOf } from "../evidence/history.ts";
import type { PublishedRollout } from "../evidence/history.ts";
import type { RolloutEvent } from "@rollcast/shared/events";

/** The rollouts that have an end of this outcome, with it. */
function endedAs(evidence: Evidence, outcome: string) {
  return rolloutsOf(evidence).flatMap((rollout) =>
    rollout.ends
      .filter((end) => outcomeOf(end) === outcome)
      .map((end) => ({ rollout, end, at: timeOf(end) })),
  );
}

/** Compares each end of an outcome with what happened; undefined: it is true. */
function ofEnds(
  outcome: string,
  faultOf: (evidence: Evidence, rollout: PublishedRollout, end: RolloutEvent) => string | undefined,
): Comparison["compare"] {
  return (evidence) => {
    const ends = endedAs(evidence, outcome);
    const disagreements = ends.flatMap(({ rollout, end, at }): Disagreement[] => {
      const what = faultOf(evidence, rollout, end);
      return what === undefined ? [] : [{ workload: rollout.workload, at, what }];
    });
    return { compared: ends.length, disagreements };
  };
}

function replicasAt({ writes }: Evidence, workload: string, time: number): number {
  const last = writes.findLast(
    (write) => write.workload === workload && write.receivedAt <= time + 1,
  );
  return last?.replicas ?? Number.POSITIVE_INFINITY;
}

/** A pod of a StatefulSet that is scaled down, and has not gone yet. */
function isSurplus(evidence: Evidence, { workload, name }: Pod, time: number): boolean {
  if (!workload.startsWith("StatefulSet/")) return false;
  return Number(name.split("-").at(-1)) >= replicasAt(evidence, workload, time);
}

/** Whether a pod of before the patch lacks content that the patch brings. */
function isStale(evidence: Evidence, patch: Write, { createdRevision }: Pod): boolean {
  return [...digestsOf(patch.marker)].some(([source, digest]) => {
    const running = contentAt(evidence, source, createdRevision);
    const brought = evidence.changes.findLast(
      (change) =>
        change.source === source && change.digest === digest && change.revision < patch.revision,
    );
    if (brought === undefined || running?.digest === digest) return false;
    return running === undefined || running.revision < brought.revision;
  });
}

/** The watch of pods may show one so much later than the restarter learned of it. */
const WATCH_MS = 5_000;

function falseSuccess(
  evidence: Evidence,
  { workload, patch }: PublishedRollout,
  end: RolloutEvent,
): string | undefined {
  const time = timeOf(end);
  if (patch === undefined) return "succeeded, and nothing was patched";
  const own = evidence.pods.filter((pod) => pod.workload === workload);
  const left = own.find(
    (pod) =>
      pod.createdRevision < patch.revision &&
      (pod.deletedAt === undefined || Math.floor(pod.deletedAt) > time) &&
      !isSurplus(evidence, pod, time) &&
      isStale(evidence, patch, pod),
  );
  if (left !== undefined) return `succeeded, and pod ${left.name} runs earlier content`;
  const isBegun = own.some(
    (pod) => pod.createdRevision > patch.revision && pod.createdAt <= time + WATCH_MS,
  );
  return isBegun ? undefined : "succeeded, and no pod was made after its patch";
}

export const succeededIsTrue: Comparison = {
  name: "succeeded is true",
  says: "at the time of each rollout.succeeded no pod runs content of before its patch",
  compare: ofEnds("succeeded", falseSuccess),
};

/** How the API server answers a patch that does not apply: the guard, or a policy's own words. */
const GUARD = "the server rejected our request due to an error in our request";
/** No answer takes longer to be published than the attempts at a busy machine. */
const ANSWER_MS = 120_000;

function falseFailure(
  evidence: Evidence,
  { workload, patch }: PublishedRollout,
  end: RolloutEvent,
): string | undefined {
  const { reason = "" } = end.data;
  const time = timeOf(end);
  if (reason === "ProgressDeadlineExceeded") {
    const isShown = evidence.deadlines.some(
      (deadline) => deadline.workload === workload && deadline.at <= time + WATCH_MS,
    );
    return isShown ? undefined : `failed (${reason}), and its controller has not shown that`;
  }
  if (patch !== undefined) return `failed (${reason}), and its patch was accepted`;
  const isRejected = evidence.rejections.some(
    (rejection) =>
      rejection.workload === workload &&
      rejection.isRollcast &&
      !rejection.message.includes(GUARD) &&
      Math.floor(rejection.answeredAt) <= time &&
      rejection.answeredAt > time - ANSWER_MS,
  );
  return isRejected ? undefined : `failed (${reason}), and nobody rejected it`;
}

export const failedIsTrue: Comparison = {
  name: "failed is true",
  says: "each rollout.failed was rejected by the API server, not by a lost race, or was late by its controller's word",
  compare: ofEnds("failed", falseFailure),
};

/** Whether a source has got other content than the patch brings, by this time. */
function isOutdated({ changes }: Evidence, patch: Write, time: number): boolean {
  return [...digestsOf(patch.marker)].some(([source, digest]) => {
    const own = changes.filter((change) => change.source === source);
    const brought = own.findLast(
      (change) => change.digest === digest && change.revision < patch.revision,
    );
    return own.some(
      (change) =>
        change.revision > (brought?.revision ?? 0) &&
        change.digest !== digest &&
        change.receivedAt <= time + 1,
    );
  });
}

const BY = /last written by field manager (\S+)$/;

function falseEnd(
  evidence: Evidence,
  { workload, patch }: PublishedRollout,
  end: RolloutEvent,
): string | undefined {
  const time = timeOf(end);
  const { message = "", reason = "" } = end.data;
  if (patch === undefined) return `superseded (${reason}), and nothing was patched`;
  const later = versionsOf(evidence, workload).filter(
    ({ write }) => write.revision > patch.revision && write.receivedAt <= time + 1,
  );
  const foreign = later.filter(({ write }) => !write.isRollcast);
  switch (reason) {
    case "NewerContent": {
      const isNewer = patchesOf(evidence, workload).some(
        ({ revision, receivedAt }) => revision > patch.revision && receivedAt <= time + 1,
      );
      return isNewer || isOutdated(evidence, patch, time)
        ? undefined
        : "superseded (NewerContent), and there is none";
    }
    case "MarkerRemoved": {
      if (!foreign.some(({ isMarkerChanged }) => isMarkerChanged)) {
        return "superseded (MarkerRemoved), and nobody changed the marker";
      }
      const by = BY.exec(message)?.[1];
      const isWriter = by === undefined || foreign.some(({ write }) => write.by === by);
      return isWriter ? undefined : `superseded by ${by}, who has not written the workload`;
    }
    case "TemplateChanged":
      return foreign.some(({ isTemplateChanged }) => isTemplateChanged)
        ? undefined
        : "superseded (TemplateChanged), and nobody changed the template";
    default:
      return `superseded (${reason}), which nothing here causes`;
  }
}

export const supersededIsTrue: Comparison = {
  name: "superseded is true",
  says: "after the patch of each rollout.superseded somebody wrote what its reason says, or content changed",
  compare: ofEnds("superseded", falseEnd),
};
