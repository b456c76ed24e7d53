import { Queues } from "@rollcast/shared/config/queues";
import type { Queue } from "@rollcast/shared/config/queues";

/** What is set up before a schedule begins. */
export type WorldConfig = {
  /** `Deployment` where it is left out. */
  readonly kind?: "Deployment" | "StatefulSet";
  readonly replicas: number;
  /** Tries of a patch before it counts as failed. */
  readonly attempts: number;
  readonly maxRolling?: number;
  /** Replicas of the restarter; 1 where it is left out. */
  readonly restarters?: number;
  readonly minReadySeconds?: number;
};

export const CLUSTER = "model";
export const NAMESPACE = "shop";
export const START = Date.parse("2026-03-01T10:00:00.000Z");
/** Rollcast was installed before everything else. */
export const INSTALLED = START - 3_600_000;

export function queuesOf({ attempts, maxRolling }: WorldConfig): readonly Queue[] {
  const queue = { name: "default", attempts, ...(maxRolling === undefined ? {} : { maxRolling }) };
  return Queues.parse([queue]);
}
