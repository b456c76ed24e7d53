import type { RolloutEvent } from "@rollcast/shared/events";
import type { BoardRecord, Post } from "../model/message-log-record.ts";
import { wordOf } from "../message/facts.ts";
import { severityOf } from "../model/severity.ts";
import { RANK, counts, track } from "./tracked-rollout.ts";

const MINUTE = 60_000;

/** For how long a message whose rollouts have all ended is known: a late `started` must not be posted after its end. */
const ENDED_MS = 15 * MINUTE;

/** For how long one that never ends is. */
const OPEN_MS = 24 * 60 * MINUTE;
const MAX_POSTS = 100;

/** A record must fit into one NATS message, 1 MiB. */
const MAX_BYTES = 500_000;
const MAX_BYTES_GROWN = 800_000;

/** What a notification does to what is posted. */
export type Folded = {
  readonly board: BoardRecord;
  /** Which messages are to be edited, by their place, and which of the events are warnings or failures of each. */
  readonly edits: ReadonlyMap<number, readonly RolloutEvent[]>;
  /** Events of which no message tells yet. */
  readonly fresh: readonly RolloutEvent[];
};

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

/** Without the oldest messages where there are too many: what they tell of is posted anew when it goes on. */
export function bounded(board: BoardRecord): BoardRecord {
  let posts = board.posts.slice(-MAX_POSTS);
  const size = () => Buffer.byteLength(JSON.stringify(posts));
  while (posts.length > 0 && size() > MAX_BYTES) posts = posts.slice(1);
  return { ...board, posts };
}
