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
function withReferrer(target: Workload, referrer: Workload, rules: Rules): Workload {
  const annotations = { ...referrer.annotations, ...target.annotations };
  const { optIn } = readOptIn(annotations, target.templateAnnotations, rules);
  const observedGeneration = referrer.workloadRef?.observedGeneration ?? 0;
  return {
    ...target,
    referrer: { kind: referrer.kind, name: referrer.name },
    annotations,
    optIn,
    mayRoll: mayRoll({ ...target, optIn }, rules),
    paused: referrer.paused,
    restartsOnEdit: referrer.restartsOnEdit,
    deadlineMs: referrer.deadlineMs,
    revision: referrer.revision,
    status: observedGeneration < target.generation ? { state: "unobserved" } : referrer.status,
  };
}

/**
 * Which workloads use the template of which other, and what those are by themselves. `get` gives a
 * workload in its present state.
 */
export function createReferrers(rules: Rules, get: (key: WorkloadKey) => Workload | undefined) {
  const referrers = new Map<WorkloadKey, WorkloadKey>();
  const owns = new Map<WorkloadKey, Workload>();
  const referred = (workload: Workload): Workload => {
    const key = referrers.get(workloadKey(workload));
    const referrer = key === undefined ? undefined : get(key);
    return referrer === undefined ? workload : withReferrer(workload, referrer, rules);
  };
  return {
    referred,
    /** The same, and keeps what it is by itself. */
    keep(workload: Workload): Workload {
      const present = referred(workload);
      if (present !== workload) owns.set(workloadKey(workload), workload);
      return present;
    },
    own: (target: WorkloadKey) => owns.get(target),
    add: (target: WorkloadKey, referrer: WorkloadKey) => void referrers.set(target, referrer),
    /** What the target is by itself, unless another one refers to it by now, or nothing is kept. */
    remove(target: WorkloadKey, referrer: WorkloadKey): Workload | undefined {
      if (referrers.get(target) !== referrer) return undefined;
      referrers.delete(target);
      const own = owns.get(target);
      owns.delete(target);
      return own;
    },
    forget: (key: WorkloadKey) => void owns.delete(key),
  };
}
