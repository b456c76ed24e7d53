import { isGate } from "../../../src/decision/blocking-gate.ts";
import type { WorkloadRecord } from "../../../src/model/workload-record.ts";
import { LATE_MS } from "./ends.ts";
import type { Facts } from "./facts.ts";
import type { History } from "../world/history.ts";
import { freezesOf } from "./gates.ts";
import type { Fault, Property } from "./property.ts";

/** The longest pause between two tries of what is refused. */
const MAX_RETRY_MS = 20 * 60_000;
/** The longest interval of the loop breaker. */
const MAX_THROTTLE_MS = 15 * 60_000;

/** Why the workload is not rolled, and until when or which gate opens, as its record says. */
export function explanation(facts: Facts, record: WorkloadRecord): string | undefined {
  const { due, failure, hold, phase } = record;
  const end = facts.history.at(-1)?.at ?? 0;
  if (due !== undefined) {
    if (due.reason === "Frozen") {
      const isUntil = freezesOf(facts, record.name, facts.history.length).some(
        ({ until }) => until === due.at,
      );
      return isUntil ? due.reason : undefined;
    }
    return due.at === undefined && !isGate(due.reason) ? undefined : due.reason;
  }
  if (failure !== undefined) {
    const isSoon = failure.retryAt > end - LATE_MS && failure.retryAt < end + MAX_RETRY_MS;
    return isSoon ? failure.reason : undefined;
  }
  if (hold === "Suspended") return facts.workload?.spec?.suspend === true ? hold : undefined;
  if (hold !== undefined) return hold;
  // Whether it may roll so long is another question.
  return phase === "rolling" ? phase : undefined;
}

/**
 * What a record says of why its workload waits, how that is told, and what is told once. A refusal
 * is told once for its content, though it waits for something else in between.
 */
export function waitsOf({ due, failure, hold, throttle }: WorkloadRecord) {
  const reason = due?.reason ?? hold;
  return [
    // The loop breaker tells once for all its rounds.
    ...(reason === undefined || (reason === "Throttled" && throttle !== undefined)
      ? []
      : [{ reason, outcome: reason === "Throttled" ? "throttled" : "deferred", once: reason }]),
    ...(failure === undefined
      ? []
      : [
          {
            reason: failure.reason,
            outcome: "failed",
            once: `${failure.reason} ${failure.wanted}`,
          },
        ]),
  ];
}

/** Whether NATS was restored to before the record at a place, and nobody has written it since. */
function isLost(history: History, place: number, key: string): boolean {
  const next = history.find(
    (entry, i) =>
      i > place &&
      (entry.type === "record" || entry.type === "restored record") &&
      entry.key === key,
  );
  return next?.type === "restored record";
}

/** What was held, and no event has said so since. */
function untoldHolds({ history }: Facts): Fault[] {
  const waiting = new Map<string, Set<string>>();
  return history.flatMap((entry, i) => {
    if (entry.type !== "record" && entry.type !== "restored record") return [];
    const waits = entry.record === undefined ? [] : waitsOf(entry.record);
    const before = waiting.get(entry.key);
    waiting.set(entry.key, new Set(waits.map(({ once }) => once)));
    if (entry.type === "restored record" || isLost(history, i, entry.key)) return [];
    const untold = waits.filter(
      ({ once, outcome, reason }) =>
        before?.has(once) !== true &&
        !history.some(
          (other, at) =>
            at > i &&
            other.type === "event" &&
            other.event.outcome === outcome &&
            other.event.data.reason === reason,
        ),
    );
    return untold.map(({ reason }) => ({
      i,
      what: `the rollout is held (${reason}), and no event says so`,
    }));
  });
}

/** Until when a rollout is put off, where that is told and not so. */
function falseTimes(facts: Facts): Fault[] {
  return facts.events.flatMap(({ i, event }) => {
    const { dueAt, reason = "", workload } = event.data;
    if (!["deferred", "throttled"].includes(event.outcome)) return [];
    const what = `${event.outcome} (${reason}) until ${dueAt ?? "no time"}`;
    const at = dueAt === undefined ? undefined : Date.parse(dueAt);
    if (reason === "Frozen") {
      const isUntil = freezesOf(facts, workload.name, i).some(({ until }) => until === at);
      return isUntil ? [] : [{ i, what: `${what}, which no freeze says` }];
    }
    if (at === undefined) {
      // What waits for the workload has no time either.
      const isWithout = isGate(reason) || ["Suspended", "Running"].includes(reason);
      return isWithout ? [] : [{ i, what }];
    }
    if (at > event.time + MAX_THROTTLE_MS) return [{ i, what: `${what}, which is too late` }];
    return at > event.time ? [] : [{ i, what: `${what}, which is past` }];
  });
}

export const HOLDS: readonly Property[] = [
  {
    name: "holds are told",
    says: "what waits is published with its reason, and with the time until which it waits",
    faults: (facts) => [...untoldHolds(facts), ...falseTimes(facts)],
  },
];
