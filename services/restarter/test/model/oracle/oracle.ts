import type { History } from "../world/history.ts";
import { ALONE } from "./alone.ts";
import { DATA } from "./data.ts";
import { ENDS } from "./ends.ts";
import { factsOf, workloadsOf } from "./facts.ts";
import { GATES } from "./gates.ts";
import { HOLDS } from "./holds.ts";
import { TOLD_ONCE } from "./once.ts";
import { PLANS } from "./plans.ts";
import type { Property, Violation } from "./property.ts";
import { QUEUES } from "./queues.ts";
import { REST } from "./rest.ts";
import { ROLLOUTS } from "./rollouts.ts";
import { TRUTH } from "./truth.ts";

/** The promise, in its parts. */
export const PROPERTIES: readonly Property[] = [
  ...TRUTH,
  ...ENDS,
  ...ROLLOUTS,
  ...REST,
  ...ALONE,
  ...HOLDS,
  ...GATES,
  ...TOLD_ONCE,
  ...PLANS,
  ...DATA,
  ...QUEUES,
];

/** Where a history breaks the promise. */
export function violationsOf(history: History): Violation[] {
  const subjects = [undefined, ...workloadsOf(history)];
  return subjects.flatMap((workload) => {
    const facts = factsOf(history, workload);
    return PROPERTIES.filter(({ ofAll }) => (ofAll === true) === (workload === undefined)).flatMap(
      ({ name, faults }) =>
        faults(facts).map((fault) => ({
          property: name,
          ...fault,
          ...(workload === undefined ? {} : { workload }),
        })),
    );
  });
}
