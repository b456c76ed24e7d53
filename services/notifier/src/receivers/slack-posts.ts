import type { RolloutEvent } from "@rollcast/shared/events";
import { eventsOf, replacePost, withPost, withReply } from "../message-log/posts.ts";
import type { Post } from "../model/message-log-record.ts";
import type { Lease } from "../message-log/lease.ts";
import { messageOf } from "../message/message.ts";
import type { Message } from "../message/message.ts";
import type { SendResult } from "../http/send-result.ts";
import type { SlackResult } from "./slack-api.ts";
import { slackContent } from "./slack-content.ts";
import type { SlackBotOptions } from "./slack-bot.ts";

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

export const BUSY_MS = 5_000;
const SENT: SendResult = { kind: "sent" };

// Keeps Slack from turning an event's texts into links, previews and mentions.
const PLAIN = { unfurl_links: false, unfurl_media: false, parse: "none", link_names: false };

export type SendContext = {
  readonly options: SlackBotOptions;
  readonly message: Message;
  readonly lease: Lease;
  readonly signal: AbortSignal;
};

function sendResultOf(result: SlackResult): SendResult {
  return result.ok ? SENT : result.sendResult;
}

/** The message, restricted to some of its events. */
function restrictTo({ options, message }: SendContext, events: readonly RolloutEvent[]): Message {
  if (events.length === message.events.length) return message;
  return options.applyTemplates(messageOf({ ...message, events: [...events] }, options.cluster));
}

async function post({ options, signal }: SendContext, message: Message, more: object = {}) {
  const { channel } = options;
  return options.call(
    "chat.postMessage",
    { channel, ...slackContent(message), ...PLAIN, ...more },
    signal,
  );
}

/** Edits a posted message to show the current state; posts it anew if it is gone. */
export async function edit(context: SendContext, index: number): Promise<SendResult> {
  const { options, lease, signal } = context;
  const before = lease.log().posts[index];
  if (before === undefined) return SENT;
  const { channel, ts, labels, createdAt, notification: id } = before;
  const events = eventsOf(before, options.cluster);
  const message = options.applyTemplates(
    messageOf({ id, events, labels, createdAt }, options.cluster),
  );
  const { unfurl_links: _l, unfurl_media: _m, ...plain } = PLAIN;
  const body = { channel, ts, ...slackContent(message), ...plain };
  const result = await options.call("chat.update", body, signal);
  if (result.ok || result.error === undefined || !UNEDITABLE.has(result.error))
    return sendResultOf(result);
  const again = await post(context, message);
  options.failpoint("posted");
  if (!again.ok) return again.sendResult;
  const moved: Post = { ...before, channel: again.channel ?? options.channel, ts: again.ts ?? "" };
  await lease.save(replacePost(lease.log(), index, moved));
  return SENT;
}

/** Sends warnings and failures as a reply: an edit notifies nobody. */
export async function reply(
  context: SendContext,
  index: number,
  events: readonly RolloutEvent[],
): Promise<SendResult> {
  const { options, lease, message } = context;
  const before = lease.log().posts[index];
  if (before === undefined || events.length === 0 || before.replies.includes(message.id)) {
    return SENT;
  }
  const partial = restrictTo(context, events);
  const inThread = options.thread && before.channel === options.channel && before.ts !== "";
  const thread = inThread ? { thread_ts: before.ts, reply_broadcast: true } : {};
  let result = await post(context, partial, thread);
  if (inThread && !result.ok && UNREPLYABLE.has(result.error ?? "")) {
    result = await post(context, partial);
  }
  options.failpoint("posted");
  if (!result.ok) return result.sendResult;
  await lease.save(replacePost(lease.log(), index, withReply(before, message.id)));
  return SENT;
}

/** Posts the events that belong to no post yet. */
export async function postNew(
  context: SendContext,
  events: readonly RolloutEvent[],
): Promise<SendResult> {
  const { options, lease } = context;
  if (events.length === 0) return SENT;
  const message = restrictTo(context, events);
  const result = await post(context, message);
  options.failpoint("posted");
  if (!result.ok) return result.sendResult;
  const { channel = options.channel, ts } = result;
  if (ts === undefined) return SENT;
  const now = Date.now();
  await lease.save(withPost(lease.log(), message, { channel, ts, events, now }));
  return SENT;
}
