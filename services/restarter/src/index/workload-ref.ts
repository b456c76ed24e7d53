import { readOptIn } from "../model/opt-in.ts";
import { mayRoll } from "../model/watched-sources.ts";
import type { Rules } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** Which workload's template this one takes for its pods; undefined where it has its own. */
export function workloadRefOf({ borrows, namespace }: Workload): WorkloadKey | undefined {
  return borrows === undefined ? undefined : workloadKey({ namespace, ...borrows });
}

/**
 * A workload whose template another one takes for its pods (Argo's `workloadRef`): it is patched, under its own name and generation, and everything that tells of
 * pods is the other one's: its annotations where it has none of its own, whether it is paused, and how far it is.
 */
export function withReferrer(target: Workload, referrer: Workload, rules: Rules): Workload {
  const annotations = { ...referrer.annotations, ...target.annotations };
  const optIn = readOptIn(annotations, target.templateAnnotations, rules);
  const seen = referrer.borrows?.seen ?? 0;
  return {
    ...target,
    annotations,
    optIn,
    mayRoll: mayRoll({ ...target, optIn }, rules),
    paused: referrer.paused,
    restartsOnEdit: referrer.restartsOnEdit,
    deadlineMs: referrer.deadlineMs,
    status: seen < target.generation ? { state: "unobserved" } : referrer.status,
  };
}
