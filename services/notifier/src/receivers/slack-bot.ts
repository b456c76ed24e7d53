import type { SlackReceiver } from "@rollcast/shared/config/receiver-kinds";
import type { RolloutEvent } from "@rollcast/shared/events";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { ConfigError } from "@rollcast/shared/errors";
import { classifyError } from "../http/classify-answer.ts";
import type { SendResult } from "../http/classify-answer.ts";
import { checkUrl, createGuardedFetch } from "../http/guarded-fetch.ts";
import { LeaseLostError, acquireLease } from "../message-log/lease.ts";
import type { Lease } from "../message-log/lease.ts";
import {
  applyEvents,
  eventsOf,
  replacePost,
  withPost,
  withReply,
} from "../message-log/message-log.ts";
import { messageOf } from "../message/message.ts";
import type { Message } from "../message/message.ts";
import type { Post } from "../model/message-log-record.ts";
import type { Receiver, ReceiverOptions } from "./receiver.ts";
import { createSlackApi } from "./slack-api.ts";
import type { SlackApi, SlackResult } from "./slack-api.ts";
import { slackContent } from "./slack-content.ts";

const SLACK_API = "https://slack.com/api/";

/** The message is gone or can no longer be edited: post a new one in its place. */
const UNEDITABLE = new Set([
  "cant_update_message",
  "channel_not_found",
  "edit_window_closed",
  "is_inactive",
  "message_not_found",
]);

/** The thread cannot be replied to: post a message outside of it. */
const UNREPLYABLE = new Set([
  "cannot_reply_to_message",
  "invalid_thread_ts",
  "message_not_found",
  "restricted_action_non_threadable_channel",
  "restricted_action_thread_locked",
  "thread_not_found",
]);

const BUSY_MS = 5_000;
const SENT: SendResult = { kind: "sent" };

// Keeps Slack from turning an event's texts into links, previews and mentions.
const PLAIN = { unfurl_links: false, unfurl_media: false, parse: "none", link_names: false };

type SlackBot = Pick<ReceiverOptions, "cluster" | "applyTemplates" | "failpoint"> & {
  readonly call: SlackApi;
  /** The channel for new messages. */
  readonly channel: string;
  readonly thread: boolean;
};

type SendContext = {
  readonly bot: SlackBot;
  readonly message: Message;
  readonly lease: Lease;
  readonly signal: AbortSignal;
};

function sendResultOf(result: SlackResult): SendResult {
  return result.ok ? SENT : result.sendResult;
}

/** The message, restricted to some of its events. */
function restrictTo({ bot, message }: SendContext, events: readonly RolloutEvent[]): Message {
  if (events.length === message.events.length) return message;
  return bot.applyTemplates(messageOf({ ...message, events: [...events] }, bot.cluster));
}

async function post({ bot, signal }: SendContext, message: Message, more: object = {}) {
  const { channel } = bot;
  return bot.call(
    "chat.postMessage",
    { channel, ...slackContent(message), ...PLAIN, ...more },
    signal,
  );
}

/** Edits a posted message to show the current state; posts it anew if it is gone. */
async function edit(context: SendContext, index: number): Promise<SendResult> {
  const { bot, lease, signal } = context;
  const before = lease.log().posts[index];
  if (before === undefined) return SENT;
  const { channel, ts, labels, createdAt, notification: id } = before;
  const events = eventsOf(before, bot.cluster);
  const message = bot.applyTemplates(messageOf({ id, events, labels, createdAt }, bot.cluster));
  const { unfurl_links: _l, unfurl_media: _m, ...plain } = PLAIN;
  const body = { channel, ts, ...slackContent(message), ...plain };
  const result = await bot.call("chat.update", body, signal);
  if (result.ok || result.error === undefined || !UNEDITABLE.has(result.error))
    return sendResultOf(result);
  const again = await post(context, message);
  bot.failpoint("posted");
  if (!again.ok) return again.sendResult;
  const moved: Post = { ...before, channel: again.channel ?? bot.channel, ts: again.ts ?? "" };
  await lease.save(replacePost(lease.log(), index, moved));
  return SENT;
}

/** Sends warnings and failures as a reply: an edit notifies nobody. */
async function reply(
  context: SendContext,
  index: number,
  events: readonly RolloutEvent[],
): Promise<SendResult> {
  const { bot, lease, message } = context;
  const before = lease.log().posts[index];
  if (before === undefined || events.length === 0 || before.replies.includes(message.id)) {
    return SENT;
  }
  const partial = restrictTo(context, events);
  const inThread = bot.thread && before.channel === bot.channel && before.ts !== "";
  const thread = inThread ? { thread_ts: before.ts, reply_broadcast: true } : {};
  let result = await post(context, partial, thread);
  if (inThread && !result.ok && UNREPLYABLE.has(result.error ?? "")) {
    result = await post(context, partial);
  }
  bot.failpoint("posted");
  if (!result.ok) return result.sendResult;
  await lease.save(replacePost(lease.log(), index, withReply(before, message.id)));
  return SENT;
}

/** Posts the events that belong to no post yet. */
async function postNew(context: SendContext, events: readonly RolloutEvent[]): Promise<SendResult> {
  const { bot, lease } = context;
  if (events.length === 0) return SENT;
  const message = restrictTo(context, events);
  const result = await post(context, message);
  bot.failpoint("posted");
  if (!result.ok) return result.sendResult;
  const { channel = bot.channel, ts } = result;
  if (ts === undefined) return SENT;
  const now = Date.now();
  await lease.save(withPost(lease.log(), message, { channel, ts, events, now }));
  return SENT;
}

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
 * Opens a bot in a Slack channel: one message per group of rollouts, edited as they progress;
 * warnings and failures are also sent as replies that show up in the channel. The message log
 * records which message shows which rollout after each post, so a crash repeats at most one post.
 * Throws {@link ConfigError} when its token cannot be read, {@link AddressRefusedError} when its
 * address is not allowed.
 */
export async function openSlackBot(
  options: ReceiverOptions,
  slack: SlackReceiver,
): Promise<Receiver> {
  const { config, security, ca, env, cluster, records, applyTemplates, failpoint, pace } = options;
  const { name } = config;
  const { tokenFrom, channel = "", thread = true } = slack;
  if (tokenFrom === undefined) throw new ConfigError("there is no token");
  const token = () => readSecret(tokenFrom, env, "slack.tokenFrom");
  const base = new URL(slack.apiUrl ?? SLACK_API);
  checkUrl(base, security);
  await token();
  const fetch = createGuardedFetch({ security, ca, env });
  const where = `${base.host} ${channel}`;
  const call = createSlackApi({ fetch, base, token, pace: (signal) => pace(where, signal) });
  const key = `${cluster}.message-log.${name}`;
  const bot: SlackBot = { call, channel, thread, cluster, applyTemplates, failpoint };
  return {
    name,
    async send(plain, signal): Promise<SendResult> {
      let lease: Lease | undefined;
      try {
        lease = await acquireLease({ records, key, receiver: name, signal });
        const message = applyTemplates(plain);
        return await sendMessage({ bot, message, lease, signal });
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
    [Symbol.asyncDispose]: () => fetch[Symbol.asyncDispose](),
  };
}
