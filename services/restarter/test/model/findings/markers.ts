import type { KubeObject } from "../cluster/object-store.ts";
import { isPatch } from "../oracle/facts.ts";
import type { Facts, WorkloadWrite } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { patchOf, wantedBy } from "../oracle/truth.ts";
import { bringsBack, isEachLack, isUnrecorded, lastVersion } from "./lacks.ts";

/** The end of the sentence of admission that removes the marker. */
const REMOVES = "removes our annotation.";

/** The beginning of the sentence of every change of admission. */
const ADMISSION = "Admission does this";

/** Whether the violation's pods have a version of the template that such a write brought back. */
function isBroughtBack(
  facts: Facts,
  violation: Violation,
  by: (write: WorkloadWrite) => boolean,
): boolean {
  return isEachLack(facts, violation, (lack) => {
    const write = bringsBack(facts, lack);
    return write !== undefined && by(write);
  });
}

/** Whether pods are kept because somebody else took the marker off, or put an older one back. */
export function isMarkerTaken(facts: Facts, violation: Violation): boolean {
  const isTaken = ({ by, markerChanged }: WorkloadWrite) => by !== "rollcast" && markerChanged;
  // Those that wait for their owner keep any template.
  if (violation.what.startsWith("pods that wait for their owner")) {
    return isEachLack(facts, violation, (lack) => {
      const last = lastVersion(facts, lack);
      if (last === undefined || last.i < lack.changedAt || !isTaken(last)) return false;
      // Only a marker that said so can be taken off.
      return facts.writes.some(
        (write) => isPatch(write) && lack.changedAt < write.i && write.i < last.i,
      );
    });
  }
  return isBroughtBack(facts, violation, isTaken);
}

/** Whether the pods are kept because others brought back the template that they have. */
export function isEditUndone(facts: Facts, violation: Violation): boolean {
  return isBroughtBack(
    facts,
    violation,
    ({ by, markerChanged }) => by !== "rollcast" && !markerChanged,
  );
}

/** Whether the pods are kept because the restarter wrote the marker that they have again. */
export function isMarkerReused(facts: Facts, violation: Violation): boolean {
  return isBroughtBack(
    facts,
    violation,
    ({ by, marker }) => by === "rollcast" && marker !== undefined,
  );
}

/** Whether admission changed the template within the patch of the violation's rollout. */
export function mutatedByAdmission(facts: Facts, { i, what }: Violation): boolean {
  if (!what.includes("TemplateChanged")) return false;
  const id = facts.events.find((event) => event.i === i)?.event.data.rollout ?? "";
  const begun = facts.rollouts.get(id);
  return begun !== undefined && patchOf(facts, begun.rollout, i)?.templateChanged === true;
}

/** Whether what admission changed within our patch was not recorded, and is taken for an edit. */
export function isMutatedUnrecorded(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, ({ changedAt, pod }) =>
    facts.writes.some(
      (write) =>
        isPatch(write) &&
        write.templateChanged &&
        write.object.metadata.uid === pod.owner &&
        write.i < changedAt &&
        pod.from < changedAt &&
        isUnrecorded(facts, write, changedAt),
    ),
  );
}

/** Whether admission takes the marker off at a place in the history. */
function isMarkerRemoved({ history }: Facts, place: number): boolean {
  const last = history
    .slice(0, place)
    .findLast((entry) => entry.type === "act" && entry.text.startsWith(ADMISSION));
  return last?.type === "act" && last.text.endsWith(REMOVES);
}

/** Whether the rollout of the violation began by its event, and admission removed its marker. */
export function isMarkerNotKept(facts: Facts, violation: Violation): boolean {
  const unmarked = facts.events.filter(({ i, event }) => {
    const rollout = facts.rollouts.get(event.data.rollout ?? "")?.rollout;
    if (event.outcome !== "started" || rollout === undefined) return false;
    return isMarkerRemoved(facts, i) && patchOf(facts, rollout, i) === undefined;
  });
  if (violation.property === "agree") return unmarked.some(({ i }) => i === violation.i);
  if (violation.property === "failed is true") {
    const failed = facts.events.find(({ i }) => i === violation.i)?.event.data.rollout;
    return unmarked.some(({ event }) => event.data.rollout === failed);
  }
  return isEachLack(facts, violation, ({ source, wanted, changedAt }) =>
    unmarked.some(({ i, event }) => {
      const rollout = facts.rollouts.get(event.data.rollout ?? "")?.rollout;
      const digest = rollout === undefined ? undefined : wantedBy(rollout).get(source);
      return i > changedAt && digest === wanted;
    }),
  );
}

/** Whether the workload's controller changed its template between a rollout's begin and its end. */
export function isNormalised(facts: Facts, { i: end, what }: Violation): boolean {
  if (!what.includes("TemplateChanged")) return false;
  const id = facts.events.find(({ i }) => i === end)?.event.data.rollout ?? "";
  const rollout = facts.rollouts.get(id)?.rollout;
  const started = facts.events.find(
    ({ event }) => event.outcome === "started" && event.data.rollout === id,
  );
  // Admission may have taken the marker off the patch.
  const patch = rollout === undefined ? undefined : patchOf(facts, rollout, end);
  const began = patch?.i ?? started?.i ?? end;
  return facts.writes.some(
    ({ i, by, templateChanged }) => by === "cluster" && templateChanged && i > began && i < end,
  );
}

/**
 * Whether each source changed after its pod was made, and the controller's own form of the template
 * was not recorded before: it counts as an edit in the same second, or of before a creation.
 */
export function isNormalisedUnrecorded(facts: Facts, violation: Violation): boolean {
  return isEachLack(facts, violation, ({ changedAt, pod }) =>
    facts.writes.some(
      (write) =>
        write.by === "cluster" &&
        write.templateChanged &&
        write.object.kind === "Rollout" &&
        write.object.metadata.uid === pod.owner &&
        write.i < changedAt &&
        pod.from < changedAt &&
        isUnrecorded(facts, write, changedAt),
    ),
  );
}

function isHealthy(status: KubeObject["status"]): boolean {
  const conditions = (status?.conditions ?? []) as readonly { type?: string; status?: string }[];
  const condition = conditions.find(({ type }) => type === "Healthy");
  return status?.phase === "Healthy" && condition?.status !== "False";
}

/** Whether a Rollout was Healthy with the template of before our patch, as if it had seen that. */
export function isOfOldHash({ events, rollouts, writes }: Facts, end: number): boolean {
  const id = events.find(({ i }) => i === end)?.event.data.rollout ?? "";
  const rollout = rollouts.get(id)?.rollout;
  const patch = writes.findLast(
    (write) => write.i < end && isPatch(write) && write.marker === rollout?.marker,
  )?.object;
  // A restart by its time leaves the template as it is.
  if (patch?.kind !== "Rollout" || patch.spec?.restartAt !== undefined) return false;
  return writes.some(({ i, object: { metadata, status } }) => {
    const isOfIt = i < end && metadata.uid === patch.metadata.uid && isHealthy(status);
    const isNew = Number(status?.observedGeneration) >= (patch.metadata.generation ?? 0);
    return isOfIt && isNew && status?.currentPodHash === patch.status?.currentPodHash;
  });
}
