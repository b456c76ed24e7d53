import { hasEffectNotify } from "../model/annotation-values.ts";
import { isOwnedJob } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { DecisionInput } from "./decision.ts";

/** Why the rollout is only reported; undefined if it is to be made. */
export function reportOnly({
  mode,
  workload,
}: Pick<DecisionInput, "mode" | "workload">): "Observe" | "Notify" | undefined {
  if (mode === "observe") return "Observe";
  return hasEffectNotify(workload) ? "Notify" : undefined;
}

/** Why a Job is left to its controller, whatever its sources; undefined if it has none. */
export function leftToOwner(
  workload: Pick<Workload, "owner" | "rollBy">,
): { readonly reason: "Owned"; readonly message: string } | undefined {
  const { owner } = workload;
  if (owner === undefined || !isOwnedJob(workload)) return undefined;
  const message = `it is left to ${owner.kind} ${owner.name}, whose next Job gets the content`;
  return { reason: "Owned", message };
}
