import { contentAt, podsAt } from "../oracle/facts.ts";
import type { Facts } from "../oracle/facts.ts";
import { patchOf } from "../oracle/truth.ts";

/** The end of the sentence of admission that removes the marker. */
const REMOVES = "removes our annotation.";

/** Whether the marker was written by somebody else while a rollout was under way. */
export function markerTakenMidway(facts: Facts, until: number): boolean {
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

export function mutatedByAdmission({ writes }: Facts): boolean {
  return writes.some(({ by, templateChanged }) => by === "rollcast" && templateChanged);
}

/** Whether a rollout that was applied failed by its events, for this reason. */
export function appliedAndFailed(facts: Facts, reason: string): boolean {
  return facts.events.some(({ i, event }) => {
    const begun = facts.rollouts.get(event.data.rollout ?? "");
    if (event.outcome !== "failed" || begun === undefined) return false;
    return patchOf(facts, begun.rollout, i) !== undefined && event.data.reason === reason;
  });
}

export function happened({ history }: Facts, text: string, before: number): boolean {
  return history.some(
    (entry, i) => i < before && entry.type === "act" && entry.text.startsWith(text),
  );
}

/** Whether a rollout began by its event, and admission removed its marker from the patch. */
export function isMarkerNotKept(facts: Facts): boolean {
  return facts.events.some(({ i, event }) => {
    const begun = facts.rollouts.get(event.data.rollout ?? "");
    if (event.outcome !== "started" || begun === undefined) return false;
    const isRemoved = facts.history.some(
      (entry, at) => at < i && entry.type === "act" && entry.text.endsWith(REMOVES),
    );
    return isRemoved && patchOf(facts, begun.rollout, i) === undefined;
  });
}

/**
 * Whether a pod at the end was made between two changes, of which the second brought the content
 * before the first back.
 */
export function isContentBack(facts: Facts): boolean {
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
export function optedOutBeforeStart({ events, rollouts, writes }: Facts, start: number): boolean {
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

/** Whether a rollout of these places in the history was applied to a workload of another uid. */
export function isOfAnotherUid({ events, rollouts, writes }: Facts, place: number): boolean {
  return events.some(({ i, event }) => {
    const { rollout, workload } = event.data;
    const begun = rollouts.get(rollout ?? "")?.rollout;
    if (event.outcome !== "started" || begun === undefined) return false;
    return writes.some(
      (write) =>
        (write.i === place || i === place) &&
        write.by === "rollcast" &&
        write.at >= begun.decidedAt &&
        write.marker === begun.marker &&
        workload.uid !== write.object.metadata.uid,
    );
  });
}

/**
 * Whether a source was created after others wrote the workload, and before the restarter recorded
 * that.
 */
export function isCreatedUnrecorded({ changes, history, workload, writes }: Facts): boolean {
  return changes.some(({ i, source, digest }) => {
    const before = changes.findLast((change) => change.i < i && change.source === source);
    if (digest === undefined || before?.digest !== undefined) return false;
    return writes.some(
      (write) =>
        write.i < i &&
        write.by !== "cluster" &&
        write.by !== "rollcast" &&
        write.object.metadata.uid === workload?.metadata.uid &&
        (write.before === undefined || write.templateChanged) &&
        !history.slice(write.i, i).some(({ type }) => type === "record"),
    );
  });
}

/** Whether a source changed after others wrote the workload, in the same second. */
export function isChangedInSameSecond({ changes, workload, writes }: Facts): boolean {
  const second = (at: number) => Math.floor(at / 1_000);
  return writes.some(
    (write) =>
      write.by !== "cluster" &&
      write.by !== "rollcast" &&
      write.object.metadata.uid === workload?.metadata.uid &&
      (write.before === undefined || write.templateChanged) &&
      changes.some((change) => change.i > write.i && second(change.at) === second(write.at)),
  );
}

/** Whether NATS was restored between a rollout's decision and now. */
export function isRestoredMidway({ events, history, rollouts }: Facts, start: number): boolean {
  const event = events.find(({ i }) => i === start)?.event;
  const decidedAt = rollouts.get(event?.data.rollout ?? "")?.rollout.decidedAt ?? Infinity;
  return history.some(
    ({ type, at, ...entry }) =>
      type === "act" && at >= decidedAt && "text" in entry && entry.text.startsWith(RESTORED),
  );
}

/** The beginning of the sentence of a restore. */
export const RESTORED = "NATS is restored";

/** Whether the restarter wrote a marker that it had written before, with another in between. */
export function isMarkerReused({ writes }: Facts, before: number): boolean {
  const ours = writes.filter(
    ({ i, by, markerChanged }) => i < before && by === "rollcast" && markerChanged,
  );
  return ours.some(({ marker }, at) =>
    ours.slice(0, Math.max(0, at - 1)).some((earlier) => earlier.marker === marker),
  );
}

/** How far before a write it is recorded that its answer is lost. */
const NEAR = 3;

/** Whether the write at this place was applied without an answer. */
export function isUnanswered({ history }: Facts, i: number): boolean {
  return history
    .slice(Math.max(0, i - NEAR), i)
    .some((entry) => entry.type === "lost" && entry.kind === "patch" && entry.performed);
}

/** Whether others brought a template back that the same workload had before. */
export function isEditUndone({ writes }: Facts): boolean {
  return writes.some(
    ({ i, by, before, object, template, templateChanged }) =>
      templateChanged &&
      before?.metadata.uid === object.metadata.uid &&
      by !== "cluster" &&
      by !== "rollcast" &&
      writes.some(
        (earlier) =>
          earlier.i < i &&
          earlier.object.metadata.uid === object.metadata.uid &&
          earlier.template === template,
      ),
  );
}
