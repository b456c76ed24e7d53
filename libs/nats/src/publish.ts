import { JetStreamApiError } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { retry } from "@rollcast/async/retry";
import { TerminalError } from "@rollcast/shared/errors";
import { CONTENT_TYPE } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";
import { reasonToken } from "@rollcast/shared/reason-token";
import { mask } from "@rollcast/runtime/mask";
import { deadLetterSubject } from "@rollcast/shared/subjects";
import type { Subject } from "@rollcast/shared/subjects";
import type { Nats } from "./connect.ts";

/** A stored message's place in the stream; `duplicate` where the stream already had this id. */
export type Published = { readonly seq: number; readonly duplicate: boolean };

const ATTEMPT_MS = 5_000;
const MAX_MESSAGE_BYTES = 65_536;
/** JetStream's answers that no repetition can change: message too large for the stream. */
const PERMANENT = new Set([10_054, 10_001]);

/**
 * Publishes `event` and returns when the stream has stored it. Repeats under the same `Nats-Msg-Id`
 * (the event's id) until the acknowledgement arrives, so an outage of NATS delays and never loses
 * or doubles it. Ends early only when `signal` fires (throws its reason) or the message can never
 * be stored (throws {@link TerminalError}).
 */
export async function publish(
  nats: Nats,
  subject: Subject,
  event: RollcastEvent,
  signal: AbortSignal,
): Promise<Published> {
  const body = JSON.stringify(event);
  if (Buffer.byteLength(body) > MAX_MESSAGE_BYTES) {
    throw new TerminalError("TooLarge", "an event is larger than 64 KiB");
  }
  const hdrs = headers();
  hdrs.set("Content-Type", CONTENT_TYPE);
  if (event.traceparent !== undefined) hdrs.set("traceparent", event.traceparent);
  return store(nats, subject, body, { msgID: event.id, headers: hdrs }, signal);
}

type StoreOptions = { msgID: string; headers: ReturnType<typeof headers> };

/**
 * One attempt. Ends early where `signal` fires, or after a reconnect: an acknowledgement that was
 * under way then never comes.
 */
async function attemptStore(
  nats: Nats,
  subject: Subject,
  body: string | Uint8Array,
  options: StoreOptions,
  signal: AbortSignal,
): Promise<Published> {
  const cut = Promise.withResolvers<never>();
  const onAbort = () => cut.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const off = nats.onReconnect(() => cut.reject(new Error("the connection was lost meanwhile")));
  try {
    const storing = nats.js.publish(subject, body, { ...options, timeout: ATTEMPT_MS });
    const { seq, duplicate } = await Promise.race([storing, cut.promise]);
    return { seq, duplicate };
  } finally {
    off();
    signal.removeEventListener("abort", onAbort);
  }
}

async function store(
  nats: Nats,
  subject: Subject,
  body: string | Uint8Array,
  options: StoreOptions,
  signal: AbortSignal,
): Promise<Published> {
  return retry(() => attemptStore(nats, subject, body, options, signal), {
    backoff: { initial: 100, max: 5_000 },
    signal,
    onFailure(err, attempt) {
      if (err instanceof JetStreamApiError && PERMANENT.has(err.code)) {
        throw new TerminalError("Refused", "the stream refuses the message", { cause: err });
      }
      nats.logger.warn({ err, subject, attempt }, "publish not acknowledged, retrying");
    },
  });
}

/** What is known of a message that cannot be handled. */
export type DeadLetter = {
  /** The service that gives up. */
  stage: string;
  /** In CamelCase: `Malformed`, `Refused`. */
  reason: string;
  /** For people; bounded here. */
  message: string;
  /** Stream and sequence of the original, or another stable id. */
  id: string;
  subject: string;
  /** The original bytes. */
  body: Uint8Array;
};

function headerValue(text: string): string {
  return text
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, 1_024);
}

/**
 * Puts a message into the dead letters with its reason in the headers; repeated under the same id
 * until stored.
 */
export async function publishDeadLetter(
  nats: Nats,
  letter: DeadLetter,
  signal: AbortSignal,
): Promise<Published> {
  const hdrs = headers();
  hdrs.set("Rollcast-Stage", headerValue(letter.stage));
  hdrs.set("Rollcast-Reason", headerValue(letter.reason));
  hdrs.set("Rollcast-Message", headerValue(mask(letter.message)));
  hdrs.set("Rollcast-Subject", headerValue(letter.subject));
  const options = { msgID: letter.id, headers: hdrs };
  const subject = deadLetterSubject(reasonToken(letter.stage), reasonToken(letter.reason));
  return store(nats, subject, letter.body, options, signal);
}
