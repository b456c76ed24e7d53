import { z } from "zod";
import { Cause, RolloutOutcome } from "@rollcast/shared/events";
import { ObjectId } from "@rollcast/shared/event-envelope";

/** The latest known state of a rollout that a post shows. */
export const Tracked = z.object({
  rollout: z.string(),
  workload: ObjectId,
  outcome: RolloutOutcome,
  /** The event that reported this state, and its time in milliseconds since the epoch. */
  event: z.string(),
  at: z.number(),
  /** Index in the post's `causes`. */
  cause: z.number().int().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  durationMs: z.number().optional(),
  affected: z.number().optional(),
});
export type Tracked = z.infer<typeof Tracked>;

/** A posted message that can be edited. Times in milliseconds since the epoch. */
export const Post = z.object({
  /** The notification that it was posted for. */
  notification: z.string(),
  channel: z.string(),
  /** The receiver's identifier of the message in its channel. */
  ts: z.string(),
  labels: z.record(z.string(), z.string()),
  createdAt: z.number(),
  updatedAt: z.number(),
  causes: z.array(Cause),
  rollouts: z.array(Tracked),
  /** Notifications that were sent as replies to it, newest last. */
  replies: z.array(z.string()),
});
export type Post = z.infer<typeof Post>;

/**
 * The message log of a receiver that edits its messages, in the KV bucket `notify` under
 * `<cluster>.message-log.<receiver>`: which message shows which rollout. Stored so that the end of
 * a rollout edits the message of its start even after a restart.
 */
export const MessageLogRecord = z.object({
  v: z.literal(1),
  type: z.literal("message-log"),
  receiver: z.string(),
  /** The lease on the receiver: only its holder posts or edits, until `until`. */
  lease: z.object({ holder: z.string(), until: z.number() }).optional(),
  posts: z.array(Post),
});
export type MessageLogRecord = z.infer<typeof MessageLogRecord>;
