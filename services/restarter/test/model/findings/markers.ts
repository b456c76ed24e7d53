import type { KubeObject } from "../cluster/object-store.ts";
import { isPatch } from "../oracle/facts.ts";
import type { Facts, WorkloadWrite } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { patchOf } from "../oracle/truth.ts";
import { bringsBack, isEachLack, isUnrecorded, versionsOf } from "./lacks.ts";

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

/** Whether somebody took the marker off that said what pods lack which wait for their owner. */
export function isMarkerTakenOfLeft(facts: Facts, violation: Violation): boolean {
  if (!violation.what.startsWith("pods that wait for their owner")) return false;
  return isEachLack(facts, violation, (lack) => {
    // What is edited after that has no marker either.
    const last = versionsOf(facts, lack).findLast(({ markerChanged }) => markerChanged);
    if (last === undefined || last.i < lack.changedAt || last.by === "rollcast") return false;
    // Only a marker that said so can be taken off.
    return facts.writes.some(
      (write) => isPatch(write) && lack.changedAt < write.i && write.i < last.i,
    );
  });
}

/** Whether the pods are kept because others brought back the template that they have. */
export function isEditUndone(facts: Facts, violation: Violation): boolean {
  return isBroughtBack(
    facts,
    violation,
    ({ by, markerChanged, templateChanged }) =>
      by !== "rollcast" && (templateChanged || !markerChanged),
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

/** Whether the rollout before a patch was ended by the controller's own form of its template. */
export function isRolledForNormalised(facts: Facts, patched: number): boolean {
  const before = facts.events.findLast(
    ({ i, event }) => i < patched && event.outcome === "started",
  );
  const end = facts.events.find(
    ({ event }) =>
      event.outcome === "superseded" && event.data.rollout === before?.event.data.rollout,
  );
  if (end === undefined) return false;
  const { reason = "" } = end.event.data;
  return isNormalised(facts, { property: "superseded is true", i: end.i, what: reason });
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
