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
  /** The channel for new messages. */
  channel: string;
  thread: boolean;
  cluster: string;
  /** Acquires the lease on the message log. */
  acquireLease: (signal: AbortSignal) => Promise<Lease>;
  /** Applies the templates to a message. */
  applyTemplates: (message: Message) => Message;
  failpoint: (failpoint: Failpoint) => void;
};

async function sendMessage(context: SendContext): Promise<SendResult> {
  const { lease, message } = context;
  const { log, edits, unposted } = applyEvents(lease.log(), message.events, Date.now());
  await lease.save(log);
  // Warnings and failures first: people wait for them.
  for (const [index, warnings] of edits) {
    const sendResult = await reply(context, index, warnings);
    if (sendResult.kind !== "sent") return sendResult;
  }
  for (const index of edits.keys()) {
    const sendResult = await edit(context, index);
    if (sendResult.kind !== "sent") return sendResult;
  }
  // Last, because it changes the indexes of posts, and events without a rollout are not recorded.
  return postNew(context, unposted);
}

/**
 * A bot in a Slack channel: one message per group of rollouts, edited as they progress; warnings
 * and failures are also sent as replies that show up in the channel. The message log records which
 * message shows which rollout after each post, so a crash repeats at most one post.
 */
export function createSlackBot(options: SlackBotOptions): Receiver {
  return {
    name: options.name,
    async send(plain, signal): Promise<SendResult> {
      let lease: Lease | undefined;
      try {
        lease = await options.acquireLease(signal);
        const message = options.applyTemplates(plain);
        return await sendMessage({ options, message, lease, signal });
      } catch (err) {
        if (signal.aborted) throw err;
        if (err instanceof LeaseLostError)
          return { kind: "later", delayMs: BUSY_MS, reason: "Busy" };
        return classifyError(err);
      } finally {
        // If it cannot be released, it expires.
        await lease?.release().catch(() => undefined);
      }
    },
    [Symbol.asyncDispose]: () => options.fetch[Symbol.asyncDispose](),
  };
}
