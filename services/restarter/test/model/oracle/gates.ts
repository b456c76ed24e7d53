import { controlsAt } from "./control.ts";
import { isRestore } from "./facts.ts";
import type { ControlEntry } from "../../../src/model/control-entry.ts";
import type { Facts } from "./facts.ts";
import type { Fault, Property } from "./property.ts";

type Freeze = ControlEntry & { readonly type: "freeze" };

/** What an operator wrote must have arrived after so long. */
const ARRIVED_MS = 1_000;

/** Freezes of a workload that were written before a place in the history, those that ended too. */
export function freezesOf({ history }: Facts, name: string, place: number): Freeze[] {
  return history.slice(0, place).flatMap((entry) => {
    if (entry.type !== "control" || entry.entry?.type !== "freeze") return [];
    const { scope } = entry.entry;
    return scope.level !== "workload" || scope.name === name ? [entry.entry] : [];
  });
}

/** The gate that was closed for a workload at a time, and since long enough to be known. */
function closedAt(facts: Facts, name: string, at: number): string | undefined {
  for (const { since, entry } of controlsAt(facts, at)) {
    if (since + ARRIVED_MS > at) continue;
    if (entry.type === "settings" && entry.paused !== undefined) return "the queue was paused";
    // It lasts until that time, and is over then.
    if (entry.type !== "freeze" || (entry.until ?? Number.POSITIVE_INFINITY) <= at) continue;
    if (entry.scope.level !== "workload" || entry.scope.name === name) return "it was frozen";
  }
  return undefined;
}

/** Rollouts that were decided at a closed gate; a restored backup may have opened it. */
function throughGates(facts: Facts): Fault[] {
  const restored = facts.history.findIndex((entry) => isRestore(entry));
  return facts.events.flatMap(({ i, event }) => {
    const { rollout: id = "", workload } = event.data;
    const rollout = facts.rollouts.get(id)?.rollout;
    if (event.outcome !== "started" || rollout === undefined) return [];
    if (restored !== -1 && restored < i) return [];
    const gate = closedAt(facts, workload.name, rollout.decidedAt);
    return gate === undefined ? [] : [{ i, what: `a rollout was decided while ${gate}` }];
  });
}

export const GATES: readonly Property[] = [
  {
    name: "gates hold",
    says: "nothing is decided of a workload that is frozen, or of a queue that is paused",
    faults: throughGates,
  },
];
