import type { DecisionInput } from "./decision.ts";

/**
 * `notify`: report what would roll the workload, do not roll it; replaces Reloader's webhook mode.
 */
const EFFECT = "rollcast.dev/effect";

/** Why the rollout is only reported; undefined if it is to be made. */
export function reportOnly({
  mode,
  workload,
}: Pick<DecisionInput, "mode" | "workload">): "Observe" | "Notify" | undefined {
  if (mode === "observe") return "Observe";
  const effect = workload.annotations[EFFECT] ?? workload.templateAnnotations[EFFECT];
  return effect === "notify" ? "Notify" : undefined;
}
