import { z } from "zod";
import { Envelope, Name, ObjectId, ReasonText, Time } from "./event-envelope.ts";

export const QueueOutcome = z.enum(["updated", "paused", "resumed", "reset", "halted", "released"]);
export type QueueOutcome = z.infer<typeof QueueOutcome>;

/** Data of `queue.*`: how the settings of a queue change, by whom. */
export const QueueData = z.object({
  queue: z.string().max(63),
  /** Who asked for it; `rollcast` for what Rollcast does by itself. */
  by: z.string().max(128),
  /**
   * The limits that the file's are overridden with from now on (`updated`); null: no limit;
   * `rateLimit.per` in milliseconds.
   */
  limits: z
    .object({
      concurrency: z.number().int().optional(),
      rateLimit: z.object({ max: z.number().int(), per: z.number().int() }).nullable().optional(),
      maxRolling: z.number().int().nullable().optional(),
      maxRollingPerNamespace: z.number().int().nullable().optional(),
    })
    .optional(),
  /** When it ends by itself (RFC 3339, milliseconds). */
  until: Time.optional(),
  /** The sources whose change is halted or released, at most 20. */
  sources: z.array(ObjectId).max(20).optional(),
  /** How many of its rollouts failed (`halted`). */
  failed: z.number().int().nonnegative().optional(),
  /** `Expired` for an end that was set at the beginning. */
  reason: ReasonText.optional(),
});
export type QueueData = z.infer<typeof QueueData>;

export const FreezeOutcome = z.enum(["frozen", "unfrozen"]);
export type FreezeOutcome = z.infer<typeof FreezeOutcome>;

/** What a freeze covers: the cluster, one namespace, or one workload. */
export const FreezeScope = z.union([
  z.object({ level: z.literal("cluster") }),
  z.object({ level: z.literal("namespace"), namespace: Name }),
  z.object({ level: z.literal("workload"), kind: Name, namespace: Name, name: Name }),
]);
export type FreezeScope = z.infer<typeof FreezeScope>;

/** Data of `freeze.*`. */
export const FreezeData = z.object({
  scope: FreezeScope,
  by: z.string().max(128),
  until: Time.optional(),
  /** What the person who froze it wrote about it. */
  comment: z.string().max(256).optional(),
  /** `Expired` for an end that was set at the beginning. */
  reason: ReasonText.optional(),
});
export type FreezeData = z.infer<typeof FreezeData>;

export const QueueEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.queue.", QueueOutcome, ".v1"]),
  data: QueueData,
});
export type QueueEvent = z.infer<typeof QueueEvent>;

export const FreezeEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.freeze.", FreezeOutcome, ".v1"]),
  data: FreezeData,
});
export type FreezeEvent = z.infer<typeof FreezeEvent>;
