import { z } from "zod";
import { RolloutEvent } from "@rollcast/shared/events";

/**
 * A group of events that wait to be told together, in the KV bucket `notify` under `<cluster>.group.<id>`. An event is acknowledged when its group has it.
 * Times in milliseconds since the epoch.
 */
export const GroupRecord = z.object({
  v: z.literal(1),
  type: z.literal("group"),
  id: z.string(),
  receiver: z.string(),
  /** What the events of the group have in common, by the route's `groupBy`. */
  labels: z.record(z.string(), z.string()),
  /** Waiting events, oldest first. */
  events: z.array(RolloutEvent),
  /** Milliseconds between two messages of the group. */
  intervalMs: z.number(),
  /** When they are to be told; undefined where nothing waits. */
  dueAt: z.number().optional(),
  /** The first `events` of the list are being made into this notification; what joins meanwhile is not part of it. */
  sealed: z.object({ notification: z.string(), events: z.number().int() }).optional(),
  /** Short ids of events that were told lately, so that one delivered again does not join again. */
  recentEvents: z.array(z.string()),
  /** When the last of them were handed over. */
  lastSentAt: z.number().optional(),
});
export type GroupRecord = z.infer<typeof GroupRecord>;
