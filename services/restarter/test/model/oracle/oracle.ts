import type { History } from "../world/history.ts";
import { factsOf } from "./facts.ts";
import type { Property, Violation } from "./property.ts";
import { REST } from "./rest.ts";
import { ROLLOUTS } from "./rollouts.ts";
import { TRUTH } from "./truth.ts";

/** The promise, in its parts. */
export const PROPERTIES: readonly Property[] = [...TRUTH, ...ROLLOUTS, ...REST];

/** Where a history breaks the promise. */
export function violationsOf(history: History): Violation[] {
  const facts = factsOf(history);
  return PROPERTIES.flatMap(({ name, faults }) =>
    faults(facts).map((fault) => ({ property: name, ...fault })),
  );
}
