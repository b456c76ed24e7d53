import { z } from "zod";
import { RolloutEvent } from "@rollcast/shared/events";

/** A failed attempt. */
export const FailedAttempt = z.object({ at: z.number(), reason: z.string(), message: z.string() });
export type FailedAttempt = z.infer<typeof FailedAttempt>;

/**
 * A message for one receiver, in the KV bucket `notify` under `<cluster>.message.<id>`. Removed
 * once it is delivered or a dead letter.
 */
export const NotificationRecord = z.object({
  v: z.literal(1),
  type: z.literal("notification"),
  /** The `webhook-id` of all attempts. */
  id: z.string(),
  /** The group that it was made of. */
  group: z.string(),
  receiver: z.string(),
  labels: z.record(z.string(), z.string()),
  events: z.array(RolloutEvent),
  createdAt: z.number(),
  /** When the next attempt is due. */
  dueAt: z.number(),
  /** Failed attempts, oldest first; pauses that the receiver asked for are not counted. */
  attempts: z.array(FailedAttempt),
  /** How often it was redriven from the dead letters, and when last: its age counts from then. */
  redriven: z.object({ count: z.number().int().positive(), at: z.number() }).optional(),
  /** `sent` and `dead` are decided, but may not be published yet. */
  state: z.enum(["waiting", "sent", "dead"]),
  /** Why it is dead. */
  reason: z.string().optional(),
  message: z.string().optional(),
});
export type NotificationRecord = z.infer<typeof NotificationRecord>;
