import { NO_MORE_FAULTS } from "../acts/act.ts";
import { UNDERWAY_MS } from "./lacks.ts";
import { controlsAt } from "../oracle/control.ts";
import type { Facts } from "../oracle/facts.ts";

/** The beginning of the sentence of an outage. */
const OUTAGE = "NATS does not answer";

/** Watches are open again by then. */
const REOPENED_MS = 2_000;

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
