import { isPatch } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import type { Violation } from "../oracle/property.ts";
import { patchOf } from "../oracle/truth.ts";
import { isEachLack, isUnrecorded, versionsOf } from "./lacks.ts";

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
