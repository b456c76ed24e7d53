import { z } from "zod";
import { FreezeScope } from "@rollcast/shared/operation-events";
import { encodeToken, freezeTokens } from "@rollcast/shared/subjects";

/**
 * Operator settings and running rollouts: records of the KV bucket `control`, one per queue or
 * frozen scope. Times are milliseconds since the epoch.
 */
const Origin = { by: z.string(), at: z.number(), until: z.number().optional() };

function setting<T extends z.ZodType>(value: T) {
  return z.object({ value, ...Origin }).optional();
}

/** No rollout begins in this scope until `until`, or until the freeze is removed. */
export const Freeze = z.object({
  v: z.literal(1),
  type: z.literal("freeze"),
  scope: FreezeScope,
  comment: z.string().optional(),
  ...Origin,
});
export type Freeze = z.infer<typeof Freeze>;

const RateLimit = z.object({ max: z.number(), per: z.number() });

/** Live settings of a queue. Each overrides the configured one until it expires; null: no limit. */
const LiveSettings = z.object({
  v: z.literal(1),
  type: z.literal("settings"),
  queue: z.string(),
  concurrency: setting(z.number()),
  rateLimit: setting(RateLimit.nullable()),
  maxRolling: setting(z.number().nullable()),
  maxRollingPerNamespace: setting(z.number().nullable()),
  paused: setting(z.literal(true)),
});
export type LiveSettings = z.infer<typeof LiveSettings>;

/** One change of one source. */
export const Change = z.object({ source: z.string(), id: z.string() });
export type Change = z.infer<typeof Change>;

/** Failed rollouts that brought exactly these changes. */
const Failures = z.object({ changes: z.array(Change), rollouts: z.array(z.string()) });
export type Failures = z.infer<typeof Failures>;

const QuotaUse = z.object({ rollout: z.string(), since: z.number(), changes: z.array(z.string()) });
export type QuotaUse = z.infer<typeof QuotaUse>;

/**
 * The workloads that use quota of a queue, by `<kind>/<namespace>/<name>`, and the changes that
 * failed.
 */
const QueueState = z.object({
  v: z.literal(1),
  type: z.literal("state"),
  queue: z.string(),
  rolling: z.record(z.string(), QuotaUse),
  failures: z.array(Failures),
});
export type QueueState = z.infer<typeof QueueState>;

export const ControlEntry = z.discriminatedUnion("type", [Freeze, LiveSettings, QueueState]);
export type ControlEntry = z.infer<typeof ControlEntry>;

export function emptyState(queue: string): QueueState {
  return { v: 1, type: "state", queue, rolling: {}, failures: [] };
}

export function freezeKey(cluster: string, scope: FreezeScope): string {
  return `${encodeToken(cluster)}.freeze.${freezeTokens(scope)}`;
}

export function settingsKey(cluster: string, queue: string): string {
  return `${encodeToken(cluster)}.settings.${encodeToken(queue)}`;
}

export function stateKey(cluster: string, queue: string): string {
  return `${encodeToken(cluster)}.state.${encodeToken(queue)}`;
}

export function isStateKey(key: string): boolean {
  return key.split(".")[1] === "state";
}
