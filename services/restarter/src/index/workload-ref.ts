import { readOptIn } from "../model/opt-in.ts";
import { mayRoll } from "../model/watched-sources.ts";
import type { Rules } from "../model/rules.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** Which workload's template this one takes for its pods; undefined where it has its own. */
export function lenderOf({ borrows, namespace }: Workload): WorkloadKey | undefined {
  return borrows === undefined ? undefined : workloadKey({ namespace, ...borrows });
}

/**
 * A workload whose template another one takes for its pods (Argo's `workloadRef`): it is patched, under its own name and generation, and everything that tells of
 * pods is the other one's: its annotations where it has none of its own, whether it is paused, and how far it is.
 */
export function lent(lender: Workload, borrower: Workload, rules: Rules): Workload {
  const annotations = { ...borrower.annotations, ...lender.annotations };
  const optIn = readOptIn(annotations, lender.templateAnnotations, rules);
  const seen = borrower.borrows?.seen ?? 0;
  return {
    ...lender,
    annotations,
    optIn,
    mayRoll: mayRoll({ ...lender, optIn }, rules),
    paused: borrower.paused,
    restartsOnEdit: borrower.restartsOnEdit,
    deadlineMs: borrower.deadlineMs,
    status: seen < lender.generation ? { state: "unobserved" } : borrower.status,
  };
}
