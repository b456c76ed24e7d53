import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { Cause, RolloutEvent, RolloutOutcome } from "@rollcast/shared/events";
import { outcomeOf, severityOf } from "../message/message.ts";
import type { Message } from "../message/message.ts";
import type { MessageLogRecord, Post, Tracked } from "../model/message-log-record.ts";

const MAX_KEYS = 10;
const MAX_MESSAGE = 300;

/** Rollouts advance through these ranks only; a late event of a lower rank is ignored. */
const OUTCOME_RANK: Readonly<Record<RolloutOutcome, number>> = {
  planned: 0,
  deferred: 0,
  throttled: 0,
  skipped: 3,
  started: 1,
  stalled: 2,
  succeeded: 3,
  failed: 3,
  superseded: 3,
  cancelled: 3,
};

function rolloutOutcomeOf(event: RolloutEvent): RolloutOutcome {
  return outcomeOf(event) as RolloutOutcome;
}

/** The cause, with at most as many key names as are shown. */
function shortCause(cause: Cause): Cause {
  const { changedKeys, ...rest } = cause;
  if (changedKeys === undefined) return rest;
  const { added, changed, removed, more = 0 } = changedKeys;
  const keep = (names: readonly string[]) => names.slice(0, MAX_KEYS);
  const lists = { added: keep(added), changed: keep(changed), removed: keep(removed) };
  const left =
    more +
    [added, changed, removed].reduce((sum, names) => sum + Math.max(names.length - MAX_KEYS, 0), 0);
  return { ...rest, changedKeys: { ...lists, more: left > 0 ? left : undefined } };
}

/** Applies an event to its rollout in the post. */
function trackEvent(post: Post, event: RolloutEvent, now: number): Post {
  const { workload, rollout, cause, reason, message, durationMs, affected } = event.data;
  if (rollout === undefined) return post;
  const causes = [...post.causes];
  let index: number | undefined;
  if (cause !== undefined) {
    const text = JSON.stringify(shortCause(cause));
    index = causes.findIndex((existing) => JSON.stringify(existing) === text);
    if (index === -1) index = causes.push(shortCause(cause)) - 1;
  }
  const { kind, namespace, name } = workload;
  const tracked: Tracked = {
    rollout,
    workload: { kind, namespace, name },
    outcome: rolloutOutcomeOf(event),
    event: event.id,
    at: Date.parse(event.time),
    cause: index,
    reason,
    message: message === undefined ? undefined : message.slice(0, MAX_MESSAGE).toWellFormed(),
    durationMs,
    affected,
  };
  const rollouts = post.rollouts.filter((other) => other.rollout !== rollout);
  return { ...post, causes, rollouts: [...rollouts, tracked], updatedAt: now };
}

/**
 * Whether the event is newer than what the post shows, or is the very event it shows (on a retry).
 */
function advances(current: Tracked, event: RolloutEvent): boolean {
  if (current.event === event.id) return true;
  const advance = OUTCOME_RANK[rolloutOutcomeOf(event)] - OUTCOME_RANK[current.outcome];
  return advance > 0 || (advance === 0 && Date.parse(event.time) > current.at);
}

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
function dropOldestPosts(log: MessageLogRecord): MessageLogRecord {
  let posts = log.posts.slice(-MAX_POSTS);
  const size = () => Buffer.byteLength(JSON.stringify(posts));
  while (posts.length > 0 && size() > MAX_BYTES) posts = posts.slice(1);
  return { ...log, posts };
}

const MAX_REPLIES = 20;

/** Where a message was posted. */
type Place = { readonly channel: string; readonly ts: string };

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
      cause: causeOfRollout,
    });
  });
}
