import { z } from "zod";
import { Cause, ObjectId, RolloutOutcome } from "@rollcast/shared/events";

/** What was last heard of one rollout that a posted message tells of. */
export const Tracked = z.object({
  rollout: z.string(),
  workload: ObjectId,
  outcome: RolloutOutcome,
  /** The event that said so, and when; milliseconds since the epoch. */
  event: z.string(),
  at: z.number(),
  /** Its cause's place in the post's list. */
  cause: z.number().int().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  durationMs: z.number().optional(),
  affected: z.number().optional(),
});
export type Tracked = z.infer<typeof Tracked>;

/** A message that was posted and can be edited. Times in milliseconds since the epoch. */
export const Post = z.object({
  /** The notification it was posted for. */
  notification: z.string(),
  channel: z.string(),
  /** How the receiver names it in its channel. */
  ts: z.string(),
  labels: z.record(z.string(), z.string()),
  createdAt: z.number(),
  updatedAt: z.number(),
  causes: z.array(Cause),
  rollouts: z.array(Tracked),
  /** Notifications of which a reply to it tells, newest last. */
  replies: z.array(z.string()),
});
export type Post = z.infer<typeof Post>;

/**
 * What a receiver that edits has posted, in the KV bucket `notify` under `<cluster>.board.<receiver>`: which message tells of which rollout. Kept so that an
 * end edits the message of its start after a restart too.
 */
export const MessageLogRecord = z.object({
  v: z.literal(1),
  type: z.literal("board"),
  receiver: z.string(),
  /** Who talks to the receiver now; nobody else posts or edits until `until`. */
  lease: z.object({ holder: z.string(), until: z.number() }).optional(),
  posts: z.array(Post),
});
export type MessageLogRecord = z.infer<typeof MessageLogRecord>;
