import type { RolloutEvent } from "@rollcast/shared/events";
import { outcomeOf, timeOf, workloadOf } from "../evidence/evidence.ts";
import type { Change, Comparison, Disagreement, Evidence } from "../evidence/evidence.ts";
import { isEnd, rolloutsOf, versionsOf } from "../evidence/history.ts";

export const endsOnce: Comparison = {
  name: "one end",
  says: "each event is in the stream once; each rollout that started has one end, and what did not start ends as failed alone",
  compare(evidence) {
    const ids = new Set<string>();
    const twice = evidence.events.flatMap((event): Disagreement[] => {
      const isFirst = !ids.has(event.id);
      ids.add(event.id);
      const what = `event ${event.id} is in the stream twice`;
      return isFirst ? [] : [{ workload: workloadOf(event), at: timeOf(event), what }];
    });
    const rollouts = rolloutsOf(evidence);
    const wrong = rollouts.flatMap(({ id, workload, started, ends }): Disagreement[] => {
      const [first] = started;
      const [end] = ends;
      const at = first === undefined ? undefined : timeOf(first);
      if (ends.length !== 1 && (started.length > 0 || ends.length > 0)) {
        return [{ workload, at, what: `rollout ${id} has ${ends.length} ends` }];
      }
      if (first === undefined && end !== undefined && outcomeOf(end) !== "failed") {
        const what = `rollout ${id} is ${outcomeOf(end)}, and it did not start`;
        return [{ workload, at: timeOf(end), what }];
      }
      if (first === undefined || end === undefined || timeOf(end) >= timeOf(first)) return [];
      return [{ workload, at, what: `rollout ${id} ended before it started` }];
    });
    return { compared: rollouts.length, disagreements: [...twice, ...wrong] };
  },
};

/** Whether the workload waited when it was planned: that is not published again. */
function isWaiting(events: readonly RolloutEvent[], planned: RolloutEvent): boolean {
  const last = events
    .slice(0, events.indexOf(planned))
    .findLast(
      (event) => workloadOf(event) === workloadOf(planned) && outcomeOf(event) !== "planned",
    );
  return last !== undefined && outcomeOf(last) === "deferred";
}

/** Whether what was planned became current without a rollout. */
function isOvertaken(evidence: Evidence, planned: RolloutEvent): boolean {
  const { cause } = planned.data;
  const workload = workloadOf(planned);
  const source = `${cause?.kind}/${cause?.name}`;
  const changedAt = Date.parse(cause?.changedAt ?? planned.time);
  const own = evidence.changes.filter((change) => change.source === source);
  const caused = own.findLast(({ receivedAt }) => receivedAt <= changedAt);
  const isBefore = ({ revision }: Change) => revision < (caused?.revision ?? 0);
  const isUndone = own.some(
    (later) =>
      later.revision > (caused?.revision ?? 0) &&
      own.some((change) => isBefore(change) && change.digest === later.digest),
  );
  const isRestarted = versionsOf(evidence, workload).some(
    ({ write, isMarkerChanged, isTemplateChanged }) =>
      !write.isRollcast && (isMarkerChanged || isTemplateChanged) && write.answeredAt > changedAt,
  );
  return isUndone || isRestarted;
}

export const plannedIsEnded: Comparison = {
  name: "planned has an end",
  says: "after each rollout.planned the workload has an end, or it waits, unless the content came back or somebody else restarted the pods",
  compare(evidence) {
    const { events } = evidence;
    const plans = events
      .map((event, i) => ({ event, i }))
      .filter(({ event }) => outcomeOf(event) === "planned");
    const disagreements = plans.flatMap(({ event, i }): Disagreement[] => {
      const workload = workloadOf(event);
      const isAnswered = events
        .slice(i + 1)
        .some(
          (later) =>
            workloadOf(later) === workload && (isEnd(later) || outcomeOf(later) === "deferred"),
        );
      if (isAnswered || isWaiting(events, event) || isOvertaken(evidence, event)) return [];
      return [{ workload, at: timeOf(event), what: "planned, and nothing came of it" }];
    });
    return { compared: plans.length, disagreements };
  },
};

/** After so many rollouts in a row whose marker was taken off, the next one waits. */
const STRIPPED = 3;

function isStrippedBefore(before: readonly RolloutEvent[]): boolean {
  const ends = before.filter(isEnd).slice(-STRIPPED);
  return ends.length === STRIPPED && ends.every(({ data }) => data.reason === "MarkerRemoved");
}

/** What nobody in the run causes: no gate, no limit of the rate, no deletion, no time-out. */
const IMPOSSIBLE = new Set(["throttled", "skipped", "cancelled", "stalled"]);

export const waitsAreTrue: Comparison = {
  name: "waits are true",
  says: "deferred is published as MarkerStripped alone, after three rollouts whose marker was taken off; nothing is throttled, skipped, cancelled or stalled",
  compare({ events }) {
    const others = events.filter(
      (event) => outcomeOf(event) === "deferred" || IMPOSSIBLE.has(outcomeOf(event)),
    );
    const disagreements = others.flatMap((event): Disagreement[] => {
      const workload = workloadOf(event);
      const at = timeOf(event);
      const { reason } = event.data;
      if (outcomeOf(event) !== "deferred" || reason !== "MarkerStripped") {
        const what = `${outcomeOf(event)} (${reason}), which nothing here causes`;
        return [{ workload, at, what }];
      }
      const before = events.slice(0, events.indexOf(event));
      return isStrippedBefore(before.filter((other) => workloadOf(other) === workload))
        ? []
        : [{ workload, at, what: "deferred (MarkerStripped), and no three rollouts before it" }];
    });
    return { compared: others.length, disagreements };
  },
};
