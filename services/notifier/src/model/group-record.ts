import { z } from "zod";
import { RolloutEvent } from "@rollcast/shared/events";

/**
 * A group of events that are sent together, in the KV bucket `notify` under `<cluster>.group.<id>`.
 * An event is acknowledged once its group's record holds it. Times in milliseconds since the epoch.
 */
export const GroupRecord = z.object({
  v: z.literal(1),
  type: z.literal("group"),
  id: z.string(),
  receiver: z.string(),
  /** The labels that the events share, chosen by the route's `groupBy`. */
  labels: z.record(z.string(), z.string()),
  /** Waiting events, oldest first. */
  events: z.array(RolloutEvent),
  /** Minimum time between two messages of the group; milliseconds. */
  intervalMs: z.number(),
  /** When the group is to be flushed; undefined when no event waits. */
  dueAt: z.number().optional(),
  /**
   * The notification being made of the first `events` events; events that join now are not part of
   * it.
   */
  sealed: z.object({ notification: z.string(), events: z.number().int() }).optional(),
  /** Short ids of recently sent events, so that a redelivered one does not join again. */
  recentEvents: z.array(z.string()),
  /** When the last of them were sent. */
  lastSentAt: z.number().optional(),
});
export type GroupRecord = z.infer<typeof GroupRecord>;
