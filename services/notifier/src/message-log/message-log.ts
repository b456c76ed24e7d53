import { rolloutEvent } from "@rollcast/shared/events";
import type { Cause, RolloutEvent, RolloutOutcome } from "@rollcast/shared/events";
import type { BoardRecord, Post, Tracked } from "../model/message-log-record.ts";
import { wordOf } from "../message/facts.ts";
import type { Message } from "../message/message.ts";
import { severityOf } from "../message/severity.ts";

const MINUTE = 60_000;
/** For how long a message whose rollouts have all ended is known: a late `started` must not be posted after its end. */
const ENDED_MS = 15 * MINUTE;
/** For how long one that never ends is. */
const OPEN_MS = 24 * 60 * MINUTE;
const MAX_POSTS = 100;
/** A record must fit into one NATS message, 1 MiB. */
const MAX_BYTES = 500_000;
const MAX_BYTES_GROWN = 800_000;
const MAX_KEYS = 10;
const MAX_MESSAGE = 300;
const MAX_REPLIES = 20;

/** A rollout goes this way only; whatever comes late says nothing new. */
const RANK: Readonly<Record<RolloutOutcome, number>> = {
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

/** What a notification does to what is posted. */
export type Folded = {
  readonly board: BoardRecord;
  /** Which messages are to be edited, by their place, and which of the events are warnings or failures of each. */
  readonly edits: ReadonlyMap<number, readonly RolloutEvent[]>;
  /** Events of which no message tells yet. */
  readonly fresh: readonly RolloutEvent[];
};

function outcomeOf(event: RolloutEvent): RolloutOutcome {
  return wordOf(event) as RolloutOutcome;
}

/** A cause with no more key names than are shown. */
function shortCause(cause: Cause): Cause {
  const { changedKeys, ...rest } = cause;
  if (changedKeys === undefined) return rest;
  const { added, changed, removed, more = 0 } = changedKeys;
  const keep = (names: readonly string[]) => names.slice(0, MAX_KEYS);
  const lists = { added: keep(added), changed: keep(changed), removed: keep(removed) };
  const left =
    more +
    [added, changed, removed].reduce((sum, names) => sum + Math.max(names.length - MAX_KEYS, 0), 0);
  return { ...rest, changedKeys: { ...lists, ...(left > 0 ? { more: left } : {}) } };
}

/** The post with what the event says of its rollout. */
function track(post: Post, event: RolloutEvent, now: number): Post {
  const { workload, rollout, cause, reason, message, durationMs, affected } = event.data;
  if (rollout === undefined) return post;
  const causes = [...post.causes];
  let index: number | undefined;
  if (cause !== undefined) {
    const text = JSON.stringify(shortCause(cause));
    index = causes.findIndex((one) => JSON.stringify(one) === text);
    if (index === -1) index = causes.push(shortCause(cause)) - 1;
  }
  const { kind, namespace, name } = workload;
  const tracked: Tracked = {
    rollout,
    workload: { kind, namespace, name },
    word: outcomeOf(event),
    event: event.id,
    at: Date.parse(event.time),
    ...(index === undefined ? {} : { cause: index }),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message: message.slice(0, MAX_MESSAGE).toWellFormed() }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(affected === undefined ? {} : { affected }),
  };
  const rollouts = post.rollouts.filter((one) => one.rollout !== rollout);
  return { ...post, causes, rollouts: [...rollouts, tracked], updatedAt: now };
}

/** Whether the event says more of its rollout than is known, or is what is known (of an earlier try). */
function counts(known: Tracked, event: RolloutEvent): boolean {
  if (known.event === event.id) return true;
  const more = RANK[outcomeOf(event)] - RANK[known.word];
  return more > 0 || (more === 0 && Date.parse(event.time) > known.at);
}

/** Puts the events into the messages that tell of their rollouts; `now` in milliseconds since the epoch. */
export function fold(board: BoardRecord, events: readonly RolloutEvent[], now: number): Folded {
  const posts = board.posts.filter((post) => !isOver(post, now));
  const places = new Map(
    posts.flatMap(({ rollouts }, i) => rollouts.map((one) => [one.rollout, i] as const)),
  );
  const edits = new Map<number, RolloutEvent[]>();
  const fresh: RolloutEvent[] = [];
  for (const event of events) {
    const place = places.get(event.data.rollout ?? "");
    const post = place === undefined ? undefined : posts[place];
    if (place === undefined || post === undefined) {
      fresh.push(event);
      continue;
    }
    const known = post.rollouts.find((one) => one.rollout === event.data.rollout);
    if (known === undefined || !counts(known, event)) continue;
    posts[place] = track(post, event, now);
    const loud = severityOf(wordOf(event)) === "info" ? [] : [event];
    edits.set(place, [...(edits.get(place) ?? []), ...loud]);
  }
  return { board: slim({ ...board, posts }), edits, fresh };
}

/** Without the cluster's sentences where they would make the record too large: reasons stay. */
function slim(board: BoardRecord): BoardRecord {
  if (Buffer.byteLength(JSON.stringify(board)) <= MAX_BYTES_GROWN) return board;
  const posts = board.posts.map((post) => ({
    ...post,
    rollouts: post.rollouts.map(({ message: _message, ...rest }) => rest),
  }));
  return { ...board, posts };
}

function isOver({ rollouts, updatedAt }: Post, now: number): boolean {
  const ended = rollouts.every(({ word }) => RANK[word] === RANK.succeeded);
  return now - updatedAt > (ended ? ENDED_MS : OPEN_MS);
}

/** Where a message was posted. */
export type Place = { readonly channel: string; readonly ts: string };

/** The board with one more message. */
export function withPost(
  board: BoardRecord,
  message: Pick<Message, "id" | "labels">,
  posted: Place & { events: readonly RolloutEvent[]; now: number },
): BoardRecord {
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
  for (const event of events) post = track(post, event, now);
  // Of nothing that has a rollout: nothing will ever edit it.
  return post.rollouts.length === 0 ? board : bounded({ ...board, posts: [...board.posts, post] });
}

/** The board with another state of one message. */
export function replacePost(board: BoardRecord, place: number, post: Post): BoardRecord {
  return { ...board, posts: board.posts.map((one, i) => (i === place ? post : one)) };
}

/** The post after a reply told of a notification. */
export function withReply(post: Post, notification: string): Post {
  return { ...post, replies: [...post.replies, notification].slice(-MAX_REPLIES) };
}

/** Without the oldest messages where there are too many: what they tell of is posted anew when it goes on. */
function bounded(board: BoardRecord): BoardRecord {
  let posts = board.posts.slice(-MAX_POSTS);
  const size = () => Buffer.byteLength(JSON.stringify(posts));
  while (posts.length > 0 && size() > MAX_BYTES) posts = posts.slice(1);
  return { ...board, posts };
}

/** What a message tells of now, as events. */
export function eventsOf(post: Post, cluster: string): RolloutEvent[] {
  return post.rollouts.map((one) => {
    const { event: id, at, word, workload, cause, ...data } = one;
    const known = cause === undefined ? undefined : post.causes[cause];
    return rolloutEvent({ id, cluster, service: "restarter", time: at }, word, {
      ...data,
      workload: { ...workload, uid: "" },
      ...(known === undefined ? {} : { cause: known }),
    });
  });
}
