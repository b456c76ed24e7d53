import { fold } from "../message-log/message-log.ts";
import { LeaseLostError } from "../message-log/lease.ts";
import type { Lease } from "../message-log/lease.ts";
import type { GuardedFetch } from "../http/guarded-fetch.ts";
import type { Message } from "../message/message.ts";
import type { Failpoint } from "../failpoints.ts";
import { classifyError } from "../http/send-result.ts";
import type { SendResult } from "../http/send-result.ts";
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
  lease: (signal: AbortSignal) => Promise<Lease>;
  /** Puts templates on a message. */
  applyTemplates: (message: Message) => Message;
  failpoint: (failpoint: Failpoint) => void;
};

async function send(sending: Sending): Promise<SendResult> {
  const { lease, message } = sending;
  const { log, edits, fresh } = fold(lease.log(), message.events, Date.now());
  await lease.save(log);
  // Warnings and failures first: they are what people wait for.
  for (const [place, loud] of edits) {
    const result = await reply(sending, place, loud);
    if (result.kind !== "sent") return result;
  }
  for (const place of edits.keys()) {
    const result = await edit(sending, place);
    if (result.kind !== "sent") return result;
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
    async send(plain, signal): Promise<SendResult> {
      let lease: Lease | undefined;
      try {
        lease = await options.lease(signal);
        const message = options.applyTemplates(plain);
        return await send({ options, message, lease, signal });
      } catch (err) {
        if (signal.aborted) throw err;
        if (err instanceof LeaseLostError)
          return { kind: "later", delayMs: BUSY_MS, reason: "Busy" };
        return classifyError(err);
      } finally {
        // Where it cannot be let go, it ends by itself.
        await lease?.release().catch(() => undefined);
      }
    },
    [Symbol.asyncDispose]: () => options.fetch[Symbol.asyncDispose](),
  };
}
