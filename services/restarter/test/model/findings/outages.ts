import type { ControlEntry } from "../../../src/model/control-entry.ts";
import type { Rollout } from "../../../src/model/workload-record.ts";
import { NO_MORE_FAULTS } from "../acts/act.ts";
import { UNDERWAY_MS } from "./lacks.ts";
import { controlsAt } from "../oracle/control.ts";
import type { Facts } from "../oracle/facts.ts";

/** The beginning of the sentence of an outage. */
const OUTAGE = "NATS does not answer";

/** Watches are open again by then. */
const REOPENED_MS = 2_000;

/** Whether a rollout was decided, and not begun, before a gate was closed that still is. */
export function isPendingAtGate(facts: Facts): boolean {
  const end = facts.history.at(-1)?.at ?? 0;
  const closed = controlsAt(facts, end).filter(({ entry }) => {
    if (entry.type === "settings") return entry.paused !== undefined;
    return entry.type === "freeze" && (entry.until ?? end) >= end;
  });
  return [...facts.records.values()].some(
    ({ phase, rollout }) =>
      phase === "pending" &&
      rollout !== undefined &&
      (closed.some(({ since }) => since >= rollout.decidedAt) || isHalted(facts, rollout)),
  );
}

/** Whether the change of a rollout was halted after the rollout had been decided, and still is. */
function isHalted(facts: Facts, { changes = [], decidedAt }: Rollout): boolean {
  const { haltAfter = Number.POSITIVE_INFINITY } = facts.queue ?? {};
  const halts = ({ entry }: { readonly entry?: ControlEntry | undefined }) =>
    entry?.type === "state" &&
    entry.failures.some(
      (failures) =>
        failures.rollouts.length >= haltAfter &&
        failures.changes.some(({ id }) => changes.some((change) => change.id === id)),
    );
  const first = facts.history.find((entry) => entry.type === "control" && halts(entry));
  const end = facts.history.at(-1)?.at ?? 0;
  return (first?.at ?? 0) >= decidedAt && controlsAt(facts, end).some(halts);
}

/**
 * Whether a rollout was decided while watches were not open again after an outage of NATS, and the
 * gates were closed just before it or in it.
 */
export function isAfterOutage(facts: Facts, start: number): boolean {
  const { events, history, rollouts } = facts;
  const id = events.find(({ i }) => i === start)?.event.data.rollout ?? "";
  const decidedAt = rollouts.get(id)?.rollout.decidedAt ?? Number.NEGATIVE_INFINITY;
  const acts = history.filter((entry) => entry.type === "act" && entry.at <= decidedAt);
  const outage = acts.findLast((entry) => entry.type === "act" && entry.text.startsWith(OUTAGE));
  if (outage === undefined) return false;
  const over = acts.find(
    (entry) =>
      entry.at >= outage.at &&
      entry.type === "act" &&
      (entry.text === "NATS answers again." || entry.text === NO_MORE_FAULTS),
  );
  const isNew = controlsAt(facts, decidedAt).every(
    ({ since, entry }) =>
      (entry.type !== "freeze" && (entry.type !== "settings" || entry.paused === undefined)) ||
      since >= outage.at - UNDERWAY_MS,
  );
  return isNew && decidedAt - (over?.at ?? decidedAt) < REOPENED_MS;
}

/**
 * Whether the quota of a rollout was released before its record was written: its process had stood
 * still for longer than one that is killed would need to be replaced.
 */
export function isQuotaReleasedEarly({ history }: Facts, place: number): boolean {
  const reserved = new Map<string, number>();
  return history.slice(0, place).some((entry, i) => {
    if (entry.type === "control" && entry.entry?.type === "state") {
      const ids = new Set(Object.values(entry.entry.rolling).map(({ rollout }) => rollout));
      for (const id of ids) if (!reserved.has(id)) reserved.set(id, i);
      return false;
    }
    if (entry.type !== "record" || entry.record?.phase !== "pending") return false;
    const { id = "" } = entry.record.rollout ?? {};
    return history
      .slice(reserved.get(id) ?? i, i)
      .some(
        (other) =>
          other.type === "control" &&
          other.entry?.type === "state" &&
          !Object.values(other.entry.rolling).some(({ rollout }) => rollout === id),
      );
  });
}
