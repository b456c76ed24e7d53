import type { RolloutEvent } from "@rollcast/shared/events";
import { eventsOf, fold, replacePost, withPost, withReply } from "../message-log/message-log.ts";
import type { Post } from "../model/message-log-record.ts";
import { ClaimLost } from "../message-log/lease.ts";
import type { Claim } from "../message-log/lease.ts";
import type { GuardedFetch } from "../http/guarded-fetch.ts";
import { messageOf } from "../message/message.ts";
import type { Message } from "../message/message.ts";
import type { Step } from "../failpoints.ts";
import { judgeError } from "../http/send-result.ts";
import type { Verdict } from "../http/send-result.ts";
import type { Receiver } from "./receiver.ts";
import type { SlackApi, SlackResult } from "./slack-api.ts";
import { slackContent } from "./slack-blocks.ts";

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

/** The message is not there any more, or not to be edited any more: its place is taken by a new one. */
const LOST = new Set([
  "cant_update_message",
  "channel_not_found",
  "edit_window_closed",
  "is_inactive",
  "message_not_found",
]);
/** The thread of a reply cannot be replied to: it becomes a message of its own. */
const NO_THREAD = new Set([
  "cannot_reply_to_message",
  "invalid_thread_ts",
  "message_not_found",
  "restricted_action_non_threadable_channel",
  "restricted_action_thread_locked",
  "thread_not_found",
]);
const BUSY_MS = 5_000;
const SENT: Verdict = { kind: "sent" };
// Slack would make links, previews and mentions of what an event says.
const PLAIN = { unfurl_links: false, unfurl_media: false, parse: "none", link_names: false };

type Sending = {
  readonly options: SlackBotOptions;
  readonly message: Message;
  readonly claim: Claim;
  readonly signal: AbortSignal;
};

function verdictOf(result: SlackResult): Verdict {
  return result.ok ? SENT : result.verdict;
}

/** The message about some of its events only. */
function part({ options, message }: Sending, events: readonly RolloutEvent[]): Message {
  if (events.length === message.events.length) return message;
  return options.dress(messageOf({ ...message, events: [...events] }, options.cluster));
}

async function post({ options, signal }: Sending, message: Message, more: object = {}) {
  const { channel } = options;
  return options.call(
    "chat.postMessage",
    { channel, ...slackContent(message), ...PLAIN, ...more },
    signal,
  );
}

/** Makes a posted message say what is true now; posts it anew where it is gone. */
async function edit(sending: Sending, place: number): Promise<Verdict> {
  const { options, claim, signal } = sending;
  const before = claim.board().posts[place];
  if (before === undefined) return SENT;
  const { channel, ts, labels, createdAt, notification: id } = before;
  const events = eventsOf(before, options.cluster);
  const message = options.dress(messageOf({ id, events, labels, createdAt }, options.cluster));
  const { unfurl_links: _l, unfurl_media: _m, ...plain } = PLAIN;
  const body = { channel, ts, ...slackContent(message), ...plain };
  const result = await options.call("chat.update", body, signal);
  if (result.ok || result.error === undefined || !LOST.has(result.error)) return verdictOf(result);
  const again = await post(sending, message);
  options.step("posted");
  if (!again.ok) return again.verdict;
  const moved: Post = { ...before, channel: again.channel ?? options.channel, ts: again.ts ?? "" };
  await claim.save(replacePost(claim.board(), place, moved));
  return SENT;
}

/** Tells of warnings and failures aloud: an edit reaches nobody who is not looking. */
async function reply(
  sending: Sending,
  place: number,
  events: readonly RolloutEvent[],
): Promise<Verdict> {
  const { options, claim, message } = sending;
  const before = claim.board().posts[place];
  if (before === undefined || events.length === 0 || before.replies.includes(message.id)) {
    return SENT;
  }
  const told = part(sending, events);
  const inThread = options.thread && before.channel === options.channel && before.ts !== "";
  const thread = inThread ? { thread_ts: before.ts, reply_broadcast: true } : {};
  let result = await post(sending, told, thread);
  if (inThread && !result.ok && NO_THREAD.has(result.error ?? "")) {
    result = await post(sending, told);
  }
  options.step("posted");
  if (!result.ok) return result.verdict;
  await claim.save(replacePost(claim.board(), place, withReply(before, message.id)));
  return SENT;
}

/** Posts what no message tells of yet. */
async function postFresh(sending: Sending, events: readonly RolloutEvent[]): Promise<Verdict> {
  const { options, claim } = sending;
  if (events.length === 0) return SENT;
  const message = part(sending, events);
  const result = await post(sending, message);
  options.step("posted");
  if (!result.ok) return result.verdict;
  const { channel = options.channel, ts } = result;
  if (ts === undefined) return SENT;
  const now = Date.now();
  await claim.save(withPost(claim.board(), message, { channel, ts, events, now }));
  return SENT;
}

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
