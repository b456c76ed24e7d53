import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "@rollcast/async/backoff";
import type { Nats } from "./connect.ts";

/**
 * A message may be published before it is stored, so polls follow each other soon after one. The
 * largest delay bounds what a missed message costs.
 */
const IDLE = { initial: 50, max: 2_000 };

/** Says when to poll a stream. */
export type PollTrigger = Disposable & {
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
export function openPollTrigger(nats: Nats, subject: string, signal: AbortSignal): PollTrigger {
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
