import { readOptIn } from "../model/opt-in.ts";
import { mayRoll, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import type { Rules } from "../model/rules.ts";

/** The workload whose template this one references; undefined if it has its own. */
export function workloadRefOf({ workloadRef, namespace }: Workload): WorkloadKey | undefined {
  return workloadRef === undefined ? undefined : workloadKey({ namespace, ...workloadRef });
}

/**
 * A workload whose template is referenced by another (Argo's `workloadRef`): it is patched, under
 * its own name and generation, and the referrer determines everything about pods: annotations (if
 * it has none), pause, and progress.
 */
export function withReferrer(target: Workload, referrer: Workload, rules: Rules): Workload {
  const annotations = { ...referrer.annotations, ...target.annotations };
  const { optIn } = readOptIn(annotations, target.templateAnnotations, rules);
  const observedGeneration = referrer.workloadRef?.observedGeneration ?? 0;
  return {
    ...target,
    annotations,
    optIn,
    mayRoll: mayRoll({ ...target, optIn }, rules),
    paused: referrer.paused,
    restartsOnEdit: referrer.restartsOnEdit,
    deadlineMs: referrer.deadlineMs,
    status: observedGeneration < target.generation ? { state: "unobserved" } : referrer.status,
  };
}
