import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { MessageLogRecord, Post } from "../model/message-log-record.ts";
import type { Message } from "../message/message.ts";
import { trackEvent } from "./tracked-rollout.ts";
import { dropOldestPosts } from "./message-log.ts";

const MAX_REPLIES = 20;

/** Where a message was posted. */
export type Place = { readonly channel: string; readonly ts: string };

/** Adds a post to the log. */
export function withPost(
  log: MessageLogRecord,
  message: Pick<Message, "id" | "labels">,
  posted: Place & { events: readonly RolloutEvent[]; now: number },
): MessageLogRecord {
  const { channel, ts, events, now } = posted;
  let post: Post = {
    notification: message.id,
    channel,
    ts,
    labels: { ...message.labels },
    createdAt: now,
    updatedAt: now,
    causes: [],
    rollouts: [],
    replies: [],
  };
  for (const event of events) post = trackEvent(post, event, now);
  // No event belongs to a rollout: nothing will ever edit this post.
  return post.rollouts.length === 0
    ? log
    : dropOldestPosts({ ...log, posts: [...log.posts, post] });
}

/** Replaces one post of the log. */
export function replacePost(log: MessageLogRecord, index: number, post: Post): MessageLogRecord {
  return { ...log, posts: log.posts.map((other, i) => (i === index ? post : other)) };
}

/** Records that a reply to the post was sent for a notification. */
export function withReply(post: Post, notification: string): Post {
  return { ...post, replies: [...post.replies, notification].slice(-MAX_REPLIES) };
}

/** What a post shows now, as events. */
export function eventsOf(post: Post, cluster: string): RolloutEvent[] {
  return post.rollouts.map((rollout) => {
    const { event: id, at, outcome, workload, cause, ...data } = rollout;
    const causeOfRollout = cause === undefined ? undefined : post.causes[cause];
    return rolloutEvent({ id, cluster, service: "restarter", time: at }, outcome, {
      ...data,
      workload: { ...workload, uid: "" },
      ...(causeOfRollout === undefined ? {} : { cause: causeOfRollout }),
    });
  });
}
