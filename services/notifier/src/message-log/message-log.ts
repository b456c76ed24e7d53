import type { RolloutEvent } from "@rollcast/shared/events";
import type { MessageLogRecord, Post } from "../model/message-log-record.ts";
import { outcomeOf } from "../message/facts.ts";
import { severityOf } from "../model/severity.ts";
import { OUTCOME_RANK, advances, trackEvent } from "./tracked-rollout.ts";

const MINUTE = 60_000;

/**
 * How long a post is remembered after all its rollouts have ended: a late `started` must not be
 * posted after the end.
 */
const ENDED_MS = 15 * MINUTE;

/** How long a post is remembered whose rollouts never end. */
const OPEN_MS = 24 * 60 * MINUTE;
const MAX_POSTS = 100;

/** A record must fit into one NATS message (1 MiB). */
const MAX_BYTES = 500_000;
const MAX_BYTES_GROWN = 800_000;

/** What a notification changes in the message log. */
export type LogUpdate = {
  readonly log: MessageLogRecord;
  /** The posts to edit, by index, each with its new warnings and failures. */
  readonly edits: ReadonlyMap<number, readonly RolloutEvent[]>;
  /** Events that belong to no post yet. */
  readonly unposted: readonly RolloutEvent[];
};

/**
 * Applies the events to the posts that show their rollouts; `now` in milliseconds since the epoch.
 */
export function applyEvents(
  log: MessageLogRecord,
  events: readonly RolloutEvent[],
  now: number,
): LogUpdate {
  const posts = log.posts.filter((post) => !isExpired(post, now));
  const indexes = new Map(
    posts.flatMap(({ rollouts }, i) => rollouts.map((rollout) => [rollout.rollout, i] as const)),
  );
  const edits = new Map<number, RolloutEvent[]>();
  const unposted: RolloutEvent[] = [];
  for (const event of events) {
    const index = indexes.get(event.data.rollout ?? "");
    const post = index === undefined ? undefined : posts[index];
    if (index === undefined || post === undefined) {
      unposted.push(event);
      continue;
    }
    const tracked = post.rollouts.find((rollout) => rollout.rollout === event.data.rollout);
    if (tracked === undefined || !advances(tracked, event)) continue;
    posts[index] = trackEvent(post, event, now);
    const warnings = severityOf(outcomeOf(event)) === "info" ? [] : [event];
    edits.set(index, [...(edits.get(index) ?? []), ...warnings]);
  }
  return { log: dropMessagesIfTooLarge({ ...log, posts }), edits, unposted };
}

/** Drops the messages of rollouts when the record would become too large; reasons stay. */
function dropMessagesIfTooLarge(log: MessageLogRecord): MessageLogRecord {
  if (Buffer.byteLength(JSON.stringify(log)) <= MAX_BYTES_GROWN) return log;
  const posts = log.posts.map((post) => ({
    ...post,
    rollouts: post.rollouts.map(({ message: _message, ...rest }) => rest),
  }));
  return { ...log, posts };
}

function isExpired({ rollouts, updatedAt }: Post, now: number): boolean {
  const ended = rollouts.every(({ outcome }) => OUTCOME_RANK[outcome] === OUTCOME_RANK.succeeded);
  return now - updatedAt > (ended ? ENDED_MS : OPEN_MS);
}

/**
 * Drops the oldest posts when there are too many; their rollouts are posted anew when they
 * continue.
 */
export function dropOldestPosts(log: MessageLogRecord): MessageLogRecord {
  let posts = log.posts.slice(-MAX_POSTS);
  const size = () => Buffer.byteLength(JSON.stringify(posts));
  while (posts.length > 0 && size() > MAX_BYTES) posts = posts.slice(1);
  return { ...log, posts };
}
