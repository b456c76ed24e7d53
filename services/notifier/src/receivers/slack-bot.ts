import { applyEvents } from "../message-log/message-log.ts";
import { LeaseLostError } from "../message-log/lease.ts";
import type { Lease } from "../message-log/lease.ts";
import type { GuardedFetch } from "../http/guarded-fetch.ts";
import type { Message } from "../message/message.ts";
import type { Failpoint } from "../failpoints.ts";
import { classifyError } from "../http/classify-answer.ts";
import type { SendResult } from "../http/send-result.ts";
import type { Receiver } from "./receiver.ts";
import type { SlackApi } from "./slack-api.ts";
import { BUSY_MS, edit, postNew, reply } from "./slack-posts.ts";
import type { SendContext } from "./slack-posts.ts";

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

async function sendMessage(context: SendContext): Promise<SendResult> {
  const { lease, message } = context;
  const { log, edits, unposted } = applyEvents(lease.log(), message.events, Date.now());
  await lease.save(log);
  // Warnings and failures first: they are what people wait for.
  for (const [index, alerts] of edits) {
    const sendResult = await reply(context, index, alerts);
    if (sendResult.kind !== "sent") return sendResult;
  }
  for (const index of edits.keys()) {
    const sendResult = await edit(context, index);
    if (sendResult.kind !== "sent") return sendResult;
  }
  // Last: it moves the places, and what has no rollout is not known afterwards.
  return postNew(context, unposted);
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
        return await sendMessage({ options, message, lease, signal });
      } catch (err) {
        if (signal.aborted) throw err;
        if (err instanceof LeaseLostError)
          return { kind: "later", delayMs: BUSY_MS, reason: "busy" };
        return classifyError(err);
      } finally {
        // Where it cannot be let go, it ends by itself.
        await lease?.release().catch(() => undefined);
      }
    },
    [Symbol.asyncDispose]: () => options.fetch[Symbol.asyncDispose](),
  };
}
