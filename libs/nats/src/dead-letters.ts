import { reasonToken } from "@rollcast/shared/reason-token";
import { JetStreamApiError } from "@nats-io/jetstream";
import type { StoredMsg } from "@nats-io/jetstream";
import type { Nats } from "./connect.ts";
import { readNext } from "./history.ts";
import { DEAD_LETTER_STREAM } from "./streams.ts";

/** A dead letter as `publishDeadLetter` stored it. */
export type StoredLetter = {
  /** Its sequence in the stream, in decimal digits. */
  readonly id: string;
  readonly time: Date;
  /** Who gave up, why in a word, and why for people. */
  readonly stage: string;
  readonly reason: string;
  readonly message: string;
  /** The subject of what could not be handled. */
  readonly subject: string;
  readonly body: Uint8Array;
};

export type LetterPageOptions<T> = {
  /** The id after which the page begins; undefined: with the oldest. */
  after?: string;
  /** Letters on a page at most. */
  limit: number;
  /** Words as they are in the subject of a letter. */
  stage?: string;
  reason?: string;
  /** What is wanted of a letter; undefined leaves it out. */
  project: (letter: StoredLetter) => T | undefined;
};

/** Letters, oldest first; `next` is where another page begins, if there may be one. */
export type LetterPage<T> = { readonly items: readonly T[]; readonly next?: string };

/** The stream of what could not be handled or delivered. Network faults are thrown. */
export type DeadLetters = {
  page<T>(options: LetterPageOptions<T>): Promise<LetterPage<T>>;
  get(id: string): Promise<StoredLetter | undefined>;
  /** Removes a letter; whether it was there. */
  drop(id: string): Promise<boolean>;
};

const ID = /^[1-9]\d{0,14}$/;
/** JetStream's answers where there is no message: not found, sequence not found, not deleted. */
const GONE = new Set([10_037, 10_043, 10_057]);
/** Letters that are looked at for a page, one after the other, since each may be a megabyte. */
const MAX_LOOKED_AT = 500;

function sequence(id: string): number | undefined {
  return ID.test(id) ? Number(id) : undefined;
}

function letterOf({ seq, time, header, data }: StoredMsg): StoredLetter {
  return {
    id: String(seq),
    time,
    stage: header.get("Rollcast-Stage"),
    reason: header.get("Rollcast-Reason"),
    message: header.get("Rollcast-Message"),
    subject: header.get("Rollcast-Subject"),
    body: data,
  };
}

export function openDeadLetters(nats: Nats): DeadLetters {
  const { streams } = nats.jsm;
  return {
    async page({ after = "", limit, stage = "*", reason = "*", project }) {
      const filter = `rollcast.dlq.v1.${stage}.${reason === "*" ? reason : reasonToken(reason)}`;
      const items = [];
      let last = sequence(after) ?? 0;
      for (let looked = 0; looked < MAX_LOOKED_AT; looked++) {
        const message = await readNext(nats, DEAD_LETTER_STREAM, {
          seq: last + 1,
          subject: filter,
        });
        if (message === null) return { items };
        last = message.seq;
        const item = project(letterOf(message));
        if (item !== undefined) items.push(item);
        if (items.length >= limit) break;
      }
      return { items, next: String(last) };
    },
    async get(id) {
      const seq = sequence(id);
      if (seq === undefined) return undefined;
      const message = await streams.getMessage(DEAD_LETTER_STREAM, { seq });
      return message === null ? undefined : letterOf(message);
    },
    async drop(id) {
      const seq = sequence(id);
      if (seq === undefined) return false;
      try {
        return await streams.deleteMessage(DEAD_LETTER_STREAM, seq, false);
      } catch (err) {
        if (err instanceof JetStreamApiError && GONE.has(err.code)) return false;
        throw err;
      }
    },
  };
}
