import { fold } from "../message-log/message-log.ts";
import { ClaimLost } from "../message-log/lease.ts";
import type { Claim } from "../message-log/lease.ts";
import type { GuardedFetch } from "../http/guarded-fetch.ts";
import type { Message } from "../message/message.ts";
import type { Step } from "../failpoints.ts";
import { judgeError } from "../http/classify-answer.ts";
import type { Verdict } from "../http/send-result.ts";
import type { Receiver } from "./receiver.ts";
import type { SlackApi } from "./slack-api.ts";
import { BUSY_MS, edit, postFresh, reply } from "./slack-posts.ts";
import type { Sending } from "./slack-posts.ts";

export type SlackBotOptions = {
  name: string;
  fetch: GuardedFetch;
  call: SlackApi;
  /** Where new messages go. */
  channel: string;
  thread: boolean;
  cluster: string;
  /** Holds the record of what was posted. */
  claim: (signal: AbortSignal) => Promise<Claim>;
  /** Puts templates on a message. */
  dress: (message: Message) => Message;
  step: (step: Step) => void;
};

async function tell(sending: Sending): Promise<Verdict> {
  const { claim, message } = sending;
  const { board, edits, fresh } = fold(claim.board(), message.events, Date.now());
  await claim.save(board);
  // Warnings and failures first: they are what people wait for.
  for (const [place, loud] of edits) {
    const verdict = await reply(sending, place, loud);
    if (verdict.kind !== "sent") return verdict;
  }
  for (const place of edits.keys()) {
    const verdict = await edit(sending, place);
    if (verdict.kind !== "sent") return verdict;
  }
  // Last: it moves the places, and what has no rollout is not known afterwards.
  return postFresh(sending, fresh);
}

/**
 * A bot in a Slack channel: one message for a group of rollouts, edited as they go on, with warnings and failures as replies that are shown in the channel too.
 * Which message tells of which rollout is written down after each post; a crash in between repeats that one post.
 */
export function createSlackBot(options: SlackBotOptions): Receiver {
  return {
    name: options.name,
    async send(plain, signal): Promise<Verdict> {
      let claim: Claim | undefined;
      try {
        claim = await options.claim(signal);
        const message = options.dress(plain);
        return await tell({ options, message, claim, signal });
      } catch (err) {
        if (signal.aborted) throw err;
        if (err instanceof ClaimLost) return { kind: "later", delayMs: BUSY_MS, reason: "busy" };
        return judgeError(err);
      } finally {
        // Where it cannot be let go, it ends by itself.
        await claim?.release().catch(() => undefined);
      }
    },
    [Symbol.asyncDispose]: () => options.fetch[Symbol.asyncDispose](),
  };
}
