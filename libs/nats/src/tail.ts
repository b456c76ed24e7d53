import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError } from "@nats-io/jetstream";
import type { StoredMsg } from "@nats-io/jetstream";
import { backoffDelay } from "@rollcast/async/backoff";
import { RollcastEvent } from "@rollcast/shared/events";
import type { Nats } from "./connect.ts";
import type { ReadFrom } from "./history.ts";
import { natsErrorKind } from "./nats-error.ts";
import { openPollTrigger } from "./poll-trigger.ts";
import { EVENT_STREAM } from "./streams.ts";
import { readAhead } from "./read-ahead.ts";

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

/** Result of `work`. Throws on a reconnect: requests from before it are never answered. */
async function rejectOnReconnect<T>(nats: Nats, work: () => Promise<T>): Promise<T> {
  const lost = Promise.withResolvers<never>();
  const off = nats.onReconnect(() => lost.reject(new Error("the connection was lost")));
  try {
    return await Promise.race([work(), lost.promise]);
  } finally {
    off();
  }
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
