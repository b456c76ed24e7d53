import type { MsgRequest, StoredMsg, StreamState } from "@nats-io/jetstream";
import { mapLimit } from "@rollcast/async/map-limit";
import { RollcastEvent } from "@rollcast/shared/events";
import type { Nats } from "./connect.ts";
import { EVENT_STREAM } from "./streams.ts";
import type { Subject } from "@rollcast/shared/subjects";

const AT_ONCE = 64;

function* sequences({ first_seq, last_seq }: StreamState): Generator<number> {
  for (let seq = first_seq; seq <= last_seq; seq++) yield seq;
}

/**
 * Every event that the stream holds now, oldest first. Reads message by message, without a
 * consumer: for looks back, not for following.
 */
export async function readEvents(nats: Nats): Promise<RollcastEvent[]> {
  const { state } = await nats.jsm.streams.info(EVENT_STREAM);
  if (state.messages === 0) return [];
  const events = await mapLimit(sequences(state), AT_ONCE, async (seq) => {
    const message = await nats.jsm.streams.getMessage(EVENT_STREAM, { seq });
    return message === null ? undefined : RollcastEvent.parse(message.json());
  });
  return events.filter((event) => event !== undefined);
}

/** Where to read on: at a sequence of the stream, or at the first message since then (RFC 3339). */
export type ReadFrom = { readonly seq: number } | { readonly start_time: string };

/**
 * The first message from there on whose subject matches; null where there is none. The stream's
 * leader answers, so null is true of everything that was acknowledged. A direct read is answered by
 * any replica, also one that lags; and its answer is the message itself, which whoever may read
 * directly can have sent to any subject
 * (docs/decisions/0008-subscribers-have-their-own-account.md).
 */
export function readNext(
  nats: Nats,
  stream: string,
  { subject, ...from }: ReadFrom & { readonly subject: string },
): Promise<StoredMsg | null> {
  const query: unknown = { ...from, next_by_subj: subject };
  // The server takes it (JSApiMsgGetRequest), the client's type knows it for direct reads only.
  return nats.jsm.streams.getMessage(stream, query as MsgRequest);
}

/**
 * The newest event on a subject without wildcards; undefined where there is none. Network faults
 * are thrown.
 */
export async function readLastEvent(
  nats: Nats,
  subject: Subject,
): Promise<RollcastEvent | undefined> {
  const message = await nats.jsm.streams.getMessage(EVENT_STREAM, { last_by_subj: subject });
  return message === null ? undefined : RollcastEvent.safeParse(message.json()).data;
}
