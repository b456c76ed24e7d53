import type { Cause, RolloutEvent, RolloutOutcome } from "@rollcast/shared/events";
import type { Post, Tracked } from "../model/message-log-record.ts";
import { outcomeOf } from "../message/facts.ts";

const MAX_KEYS = 10;
const MAX_MESSAGE = 300;

/** Rollouts advance through these ranks only; a late event of a lower rank is ignored. */
export const OUTCOME_RANK: Readonly<Record<RolloutOutcome, number>> = {
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
export function trackEvent(post: Post, event: RolloutEvent, now: number): Post {
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
export function advances(current: Tracked, event: RolloutEvent): boolean {
  if (current.event === event.id) return true;
  const advance = OUTCOME_RANK[rolloutOutcomeOf(event)] - OUTCOME_RANK[current.outcome];
  return advance > 0 || (advance === 0 && Date.parse(event.time) > current.at);
}
