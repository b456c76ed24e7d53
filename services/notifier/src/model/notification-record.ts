import { z } from "zod";
import { RolloutEvent } from "@rollcast/shared/events";

/** One failed try. */
export const Try = z.object({ at: z.number(), reason: z.string(), message: z.string() });
export type Try = z.infer<typeof Try>;

/** A message on its way to one receiver, in the KV bucket `notify` under `<cluster>.message.<id>`. Removed when it is delivered or in the dead letters. */
export const NotificationRecord = z.object({
  v: z.literal(1),
  type: z.literal("notification"),
  /** The `webhook-id` over all tries. */
  id: z.string(),
  /** The group it was made of. */
  group: z.string(),
  receiver: z.string(),
  labels: z.record(z.string(), z.string()),
  events: z.array(RolloutEvent),
  createdAt: z.number(),
  /** When the next try is due. */
  dueAt: z.number(),
  /** Tries that failed, oldest first; pauses the receiver asked for are not among them. */
  tries: z.array(Try),
  /** How often it was taken out of the dead letters, and when last: its age counts from then. */
  redriven: z.object({ count: z.number().int().positive(), at: z.number() }).optional(),
  /** `sent` and `dead` are decided but perhaps not published yet. */
  state: z.enum(["waiting", "sent", "dead"]),
  /** Why it is dead. */
  reason: z.string().optional(),
  message: z.string().optional(),
});
export type NotificationRecord = z.infer<typeof NotificationRecord>;
