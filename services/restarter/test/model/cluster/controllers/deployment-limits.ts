import { dig } from "@rollcast/kube/object";
import type { KubeObject } from "../object.ts";
import { scaled, specNumber } from "./parts.ts";

function rolling(deployment: KubeObject, name: "maxSurge" | "maxUnavailable"): unknown {
  return dig(deployment.spec, "strategy", "rollingUpdate", name);
}

export function isRolling(deployment: KubeObject): boolean {
  return dig(deployment.spec, "strategy", "type") !== "Recreate";
}

export function maxSurge(deployment: KubeObject): number {
  if (!isRolling(deployment)) return 0;
  return scaled(rolling(deployment, "maxSurge"), specNumber(deployment, "replicas", 1), "up");
}

export function maxUnavailable(deployment: KubeObject): number {
  const replicas = specNumber(deployment, "replicas", 1);
  if (!isRolling(deployment) || replicas === 0) return 0;
  const given = scaled(rolling(deployment, "maxUnavailable"), replicas, "down");
  // With both at zero nothing could move.
  const least = maxSurge(deployment) === 0 && given === 0 ? 1 : given;
  return Math.min(least, replicas);
}
