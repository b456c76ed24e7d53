import type { RolloutStatus } from "./kind.ts";

/**
 * The end of a rollout whose workload has all its `replicas` updated: with none, nothing restarted.
 */
export function allUpdated(replicas: number): RolloutStatus {
  if (replicas > 0) return { state: "complete" };
  return { state: "complete", reason: "ScaledToZero", message: "no replicas: nothing restarts" };
}
