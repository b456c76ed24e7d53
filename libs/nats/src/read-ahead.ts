import type { StoredMsg } from "@nats-io/jetstream";
import type { Nats } from "./connect.ts";
import { readNext } from "./history.ts";
import type { ReadFrom } from "./history.ts";
import { EVENT_STREAM } from "./streams.ts";

export type Batch<M> = {
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
export async function readAhead(
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
