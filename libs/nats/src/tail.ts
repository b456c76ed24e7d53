import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError } from "@nats-io/jetstream";
import type { StoredMsg } from "@nats-io/jetstream";
import { backoffDelay } from "@rollcast/async/backoff";
import { RollcastEvent } from "@rollcast/shared/events";
import type { Nats } from "./connect.ts";
import { readNext } from "./history.ts";
import type { ReadFrom } from "./history.ts";
import { rejectOnReconnect } from "./reject-on-reconnect.ts";
import { natsErrorKind } from "./nats-error.ts";
import { EVENT_STREAM } from "./streams.ts";

export type TailOptions = {
  /** Subject filter (`rollcast.v1.*.rollout.failed.>`). */
  readonly filter: string;
  /** Also the events since then (milliseconds since the epoch); undefined: only new ones. */
  readonly since: number | undefined;
  /** Whether to wait for more after the events that the stream holds at the start. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
};

const MAX_AHEAD = 64;
const RETRY = { initial: 200, max: 5_000 };
/** How often in a row a request may fail, unless the tail follows. */
const MAX_ATTEMPTS = 5;

/** Where to read on, in the stream that was created then: one made anew counts from 1 again. */
type Position = { created: string; from: ReadFrom };

function eventOf(message: StoredMsg): RollcastEvent | undefined {
  try {
    return RollcastEvent.safeParse(message.json()).data;
  } catch {
    // No JSON.
    return undefined;
  }
}

/** Whether a retry may succeed: a server or leader is away, or the stream is being made anew. */
function isTransient(nats: Nats, err: unknown): boolean {
  if (nats.nc.isClosed()) return false;
  const kind = natsErrorKind(err);
  if (err instanceof JetStreamApiError) return err.status >= 500 || kind === "missing";
  return kind !== "permission";
}

async function checkStream(nats: Nats, position: Position): Promise<void> {
  const { created } = await nats.jsm.streams.info(EVENT_STREAM);
  if (created === position.created) return;
  position.created = created;
  position.from = { seq: 1 };
}

/**
 * Events in the order of the stream, until `signal` fires. Messages that are no event are skipped.
 * Holds a few events at a time. Throws where the server refuses this user, and where it does not
 * answer: at the start, and later too unless the tail follows.
 *
 * It polls the stream's leader and uses no consumer: whoever may create one may have it deliver to
 * any subject. Live messages only trigger a poll, so a reconnect loses and repeats nothing.
 */
export async function* tailEvents(nats: Nats, options: TailOptions): AsyncGenerator<RollcastEvent> {
  const { filter, since, follow, signal } = options;
  const { created, state } = await nats.jsm.streams.info(EVENT_STREAM);
  const last = follow ? Number.POSITIVE_INFINITY : state.last_seq;
  const start =
    since === undefined
      ? { seq: state.last_seq + 1 }
      : { start_time: new Date(since).toISOString() };
  const position: Position = { created, from: start };
  using trigger = follow ? openPollTrigger(nats, filter, signal) : undefined;
  let ahead = 1;
  for (let failures = 0; !signal.aborted;) {
    try {
      const mayBeNew = failures > 0 || trigger?.hasReconnected() === true;
      const { messages, isEnd } = await rejectOnReconnect(nats, async () => {
        if (mayBeNew) await checkStream(nats, position);
        return readAhead(nats, filter, position.from, ahead);
      });
      failures = 0;
      for (const message of messages) {
        if (message.seq > last || signal.aborted) return;
        position.from = { seq: message.seq + 1 };
        const event = eventOf(message);
        if (event !== undefined) yield event;
      }
      ahead = Math.min(MAX_AHEAD, Math.max(1, messages.length * 2));
      if (isEnd) await trigger?.wait();
      if (isEnd && !follow) return;
    } catch (err) {
      failures += 1;
      const authError = nats.authError();
      if (authError !== undefined) throw authError;
      if (!isTransient(nats, err) || (!follow && failures >= MAX_ATTEMPTS)) throw err;
      const delay = backoffDelay(RETRY, failures);
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * A message may be published before it is stored, so polls follow each other soon after one. The
 * largest delay bounds what a missed message costs.
 */
const IDLE = { initial: 50, max: 2_000 };

/** Says when to poll a stream. */
type PollTrigger = Disposable & {
  /**
   * Returns at once after a message or a reconnect, else after a while, or when the signal fires.
   * Throws where the server refuses the subscription or, since a reconnect, the credentials.
   */
  wait(): Promise<void>;
  /** Whether there was a reconnect since the last call. */
  hasReconnected(): boolean;
};

/**
 * Triggers a poll for each message on `subject`. Their content is not used: they do not come in the
 * stream's order, and those from an outage never come.
 */
function openPollTrigger(nats: Nats, subject: string, signal: AbortSignal): PollTrigger {
  let trigger = new AbortController();
  let idlePolls = 0;
  let reconnected = false;
  let error: Error | undefined;
  const subscription = nats.nc.subscribe(subject, {
    callback: (err) => {
      if (err !== null) error = err;
      trigger.abort();
    },
  });
  const off = nats.onReconnect(() => {
    reconnected = true;
    trigger.abort();
  });
  return {
    async wait() {
      const until = AbortSignal.any([trigger.signal, signal]);
      idlePolls += 1;
      const delay = backoffDelay(IDLE, idlePolls);
      await sleep(delay, undefined, { signal: until }).catch(() => undefined);
      const err = error ?? nats.authError();
      if (err !== undefined) throw err;
      if (!trigger.signal.aborted) return;
      trigger = new AbortController();
      idlePolls = 0;
    },
    hasReconnected() {
      const before = reconnected;
      reconnected = false;
      return before;
    },
    [Symbol.dispose]() {
      off();
      subscription.unsubscribe();
    },
  };
}

type Batch<M> = {
  /** Oldest first. */
  readonly messages: readonly M[];
  /** Whether there are no more. */
  readonly isEnd: boolean;
};

/**
 * Merges answers to "which is the next message from sequence n on?" for consecutive n. Answers
 * after a null are dropped: they are of messages that were stored since, and others may have been
 * stored before them.
 */
export function mergeAnswers<M extends { readonly seq: number }>(
  answers: readonly (M | null)[],
): Batch<M> {
  const messages: M[] = [];
  for (const answer of answers) {
    if (answer === null) return { messages, isEnd: true };
    if (answer.seq > (messages.at(-1)?.seq ?? 0)) messages.push(answer);
  }
  return { messages, isEnd: false };
}

/**
 * The next messages of the stream of events whose subject matches: at least those among the next
 * `count` sequences. Sends all requests at once, since a round trip over a forwarded port is slow.
 * Where few messages match, several answers are the same message.
 */
async function readAhead(
  nats: Nats,
  subject: string,
  from: ReadFrom,
  count: number,
): Promise<Batch<StoredMsg>> {
  const starts: readonly ReadFrom[] =
    "seq" in from ? Array.from({ length: count }, (_, i) => ({ seq: from.seq + i })) : [from];
  const answers = await Promise.all(
    starts.map((start) => readNext(nats, EVENT_STREAM, { ...start, subject })),
  );
  return mergeAnswers(answers);
}
