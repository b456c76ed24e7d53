import { z } from "zod";
import { Cause, RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { Content } from "./content.ts";

/** An event that was decided and must be published: by whoever finds it, under the same id. */
export const Outcome = z.object({
  id: z.string(),
  word: RolloutOutcome,
  /** Milliseconds since the epoch. */
  time: z.number(),
  data: RolloutData,
});
export type Outcome = z.infer<typeof Outcome>;

const Contents = z.record(z.string(), Content);

/** A rollout under way. Times are milliseconds since the epoch. */
export const Rollout = z.object({
  id: z.string(),
  wanted: Contents,
  cause: Cause.optional(),
  /** How many sources it brings to their present content. */
  changed: z.number(),
  /** The `metadata.generation` that the decision was made on: the patch is refused on any other. */
  guard: z.number(),
  /** The exact annotation that the patch writes: found on the template past `guard`, the patch was made. */
  marker: z.string(),
  /** Hash of the pod template without our marker, as it was decided on. */
  templateHash: z.string(),
  decidedAt: z.number(),
  /** When the source that caused it changed. */
  changedAt: z.number().optional(),
  /** From here on: once the patch was made. */
  generation: z.number().optional(),
  startedAt: z.number().optional(),
  /** When it is told as stalled. */
  deadline: z.number().optional(),
  stalled: z.boolean().optional(),
});
export type Rollout = z.infer<typeof Rollout>;

/** Why the wanted content could not be patched in, and when it is tried again. */
export const Failure = z.object({
  /** What was wanted, as a hash: another content is tried at once. */
  wanted: z.string(),
  reason: z.string(),
  message: z.string(),
  /** The workload's generation that was refused: a change of the workload is tried at once. */
  generation: z.number(),
  tries: z.number(),
  retryAt: z.number(),
});
export type Failure = z.infer<typeof Failure>;

/**
 * What is known of a workload, in the KV bucket `workloads`. `phase`: `current` its pods run the present content, `pending` a rollout is
 * decided and not known to be patched, `rolling` patched and not ended, `deferred` due later, `failed` the last rollout failed or was refused.
 */
export const WorkloadRecord = z.object({
  v: z.literal(1),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** Another uid is another workload. */
  uid: z.string(),
  phase: z.enum(["current", "pending", "deferred", "rolling", "failed"]),
  /** Per source that makes this workload roll: the content its pods run. */
  running: Contents,
  /** The newest generation this record was made on: an older index entry must not decide. */
  generation: z.number(),
  /** Hash of the pod template without our marker. */
  templateHash: z.string(),
  rollout: Rollout.optional(),
  failure: Failure.optional(),
  /** Hash of the wanted content that `mode: observe` has told. */
  observed: z.string().optional(),
  /** Set while `deferred`: when and why. */
  due: z.object({ at: z.number(), reason: z.string(), told: z.boolean() }).optional(),
  /** Since when its pods have not run the present content: when the source changed, else when that was found. */
  staleSince: z.number().optional(),
  /** Set while the loop breaker slows this workload down: at least so many milliseconds between two of its rollouts. */
  throttle: z.object({ interval: z.number() }).optional(),
  /** When the newest rollouts started, oldest first, bounded. */
  history: z.array(z.number()),
  /** How it ended last. */
  last: z
    .object({ rollout: z.string(), word: RolloutOutcome, time: z.number(), reason: z.string() })
    .optional(),
  outbox: z.array(Outcome),
});
export type WorkloadRecord = z.infer<typeof WorkloadRecord>;
