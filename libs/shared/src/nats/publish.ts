import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { backoffDelay } from "../backoff.ts";
import { TerminalError } from "../errors.ts";
import { CONTENT_TYPE } from "../events.ts";
import type { RollcastEvent } from "../events.ts";
import { deadLetterSubject } from "../subjects.ts";
import type { Subject } from "../subjects.ts";
import type { Nats } from "./connect.ts";

/** A stored message's place in the stream; `duplicate` where the stream already had this id. */
export type Published = { readonly seq: number; readonly duplicate: boolean };

const ATTEMPT_MS = 5_000;
const MAX_MESSAGE_BYTES = 65_536;
/** JetStream's answers that no repetition can change: message too large for the stream. */
const PERMANENT = new Set([10_054, 10_001]);

/**
 * Publishes `event` and returns when the stream has stored it. Repeats under the same `Nats-Msg-Id` (the event's id) until the
 * acknowledgement arrives, so an outage of NATS delays and never loses or doubles it. Ends early only when `signal` fires (throws its reason) or the message
 * can never be stored (throws {@link TerminalError}).
 */
export async function publish(
  nats: Nats,
  subject: Subject,
  event: RollcastEvent,
  signal: AbortSignal,
): Promise<Published> {
  const body = JSON.stringify(event);
  if (Buffer.byteLength(body) > MAX_MESSAGE_BYTES) {
    throw new TerminalError("too-large", "an event is larger than 64 KiB");
  }
  const hdrs = headers();
  hdrs.set("Content-Type", CONTENT_TYPE);
  if (event.traceparent !== undefined) hdrs.set("traceparent", event.traceparent);
  return store(nats, subject, body, { msgID: event.id, headers: hdrs }, signal);
}

type StoreOptions = { msgID: string; headers: ReturnType<typeof headers> };

async function store(
  nats: Nats,
  subject: Subject,
  body: string | Uint8Array,
  options: StoreOptions,
  signal: AbortSignal,
): Promise<Published> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      const ack = await nats.js.publish(subject, body, { ...options, timeout: ATTEMPT_MS });
      return { seq: ack.seq, duplicate: ack.duplicate };
    } catch (err) {
      if (err instanceof JetStreamApiError && PERMANENT.has(err.code)) {
        throw new TerminalError("refused", "the stream refuses the message", { cause: err });
      }
      nats.logger.warn({ err, subject, attempt }, "publish not acknowledged, trying again");
      await sleep(backoffDelay({ initial: 100, max: 5_000 }, attempt), undefined, { signal });
    }
  }
}

/** What is known of a message that cannot be handled. */
export type DeadLetter = {
  /** The service that gives up. */
  stage: string;
  /** A machine word: `malformed`, `refused`. */
  reason: string;
  /** For people; bounded here. */
  message: string;
  /** Stream and sequence of the original, or another stable id. */
  id: string;
  subject: string;
  /** The original bytes. */
  body: Uint8Array;
};

/** Puts a message into the dead letters with its reason in the headers; repeated under the same id until stored. */
export async function publishDeadLetter(
  nats: Nats,
  letter: DeadLetter,
  signal: AbortSignal,
): Promise<Published> {
  const hdrs = headers();
  hdrs.set("Rollcast-Stage", letter.stage);
  hdrs.set("Rollcast-Reason", letter.reason);
  hdrs.set("Rollcast-Message", letter.message.replaceAll(/[\r\n]+/g, " ").slice(0, 1_024));
  hdrs.set("Rollcast-Subject", letter.subject);
  const options = { msgID: letter.id, headers: hdrs };
  return store(nats, deadLetterSubject(letter.stage, letter.reason), letter.body, options, signal);
}
