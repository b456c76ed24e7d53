import { ProblemError } from "@rollcast/shared/api/problem";
import type { WorkloadRef } from "@rollcast/shared/api/workload-views";
import type { Context } from "../context.ts";
import { ConflictError, evaluateFresh } from "../reconcile/evaluate.ts";
import type { FreshEvaluation } from "../reconcile/evaluate.ts";
import { workloadKey } from "../model/workload.ts";

/** The present workload, its record and its decision. Throws a problem if there is none. */
export async function findWorkload(ctx: Context, ref: WorkloadRef): Promise<FreshEvaluation> {
  if (!ctx.kinds.has(ref.kind)) {
    const kinds = [...ctx.kinds.keys()].join(", ");
    const detail = `no workloads of the kind ${ref.kind} are watched, only ${kinds}`;
    throw new ProblemError(404, "unknown-kind", detail);
  }
  try {
    return await evaluateFresh(ctx, workloadKey(ref));
  } catch (err) {
    if (!(err instanceof ConflictError)) throw err;
    const detail = `there is no ${ref.kind} ${ref.name} in the namespace ${ref.namespace}, or it is out of scope`;
    throw new ProblemError(404, "no-such-workload", detail);
  }
}
