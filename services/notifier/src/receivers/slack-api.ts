import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Answer, GuardedFetch } from "../http/guarded-fetch.ts";
import { classifyAnswer, redactSecrets } from "../http/classify-answer.ts";
import type { SendResult } from "../http/classify-answer.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { ReceiverDeps } from "./receiver.ts";

/**
 * `{"ok":true,"channel":"C1","ts":"1.2"}` or `{"ok":false,"error":"invalid_auth"}`, both with
 * status 200. https://docs.slack.dev/apis/web-api/#responses
 */
const Body = z.union([
  z.object({ ok: z.literal(true), channel: z.string().optional(), ts: z.string().optional() }),
  z.object({ ok: z.literal(false), error: z.string() }),
]);

/**
 * The result of a Web API call: where the message is, or why it failed, with Slack's error code if
 * there was one.
 */
export type SlackResult =
  | { readonly ok: true; readonly channel: string | undefined; readonly ts: string | undefined }
  | { readonly ok: false; readonly error: string | undefined; readonly sendResult: SendResult };

/**
 * Errors after which another attempt may succeed.
 * https://docs.slack.dev/reference/methods/chat.postMessage#errors
 */
const TRANSIENT = new Set([
  "external_channel_migrating",
  "fatal_error",
  "internal_error",
  "org_login_required",
  "request_timeout",
  "service_unavailable",
  "team_added_to_org",
  "update_failed",
]);
/** Errors that ask for a pause; the Retry-After header says how long. */
const LIMITED = new Set(["ratelimited", "rate_limited", "message_limit_exceeded"]);
const LIMITED_MS = 30_000;

/**
 * Errors that no retry can fix, each with a hint for the operator. They become metric labels, so no
 * other error code of Slack is used as a reason.
 */
const PERMANENT: ReadonlyMap<string, string> = new Map([
  ["account_inactive", "the bot was deactivated: install the app again"],
  ["channel_not_found", "the channel does not exist, or is private and the bot is not in it"],
  ["ekm_access_denied", "an administrator suspended posting"],
  ["invalid_auth", "the token is not valid"],
  ["invalid_blocks", "Slack does not accept the format of the message"],
  ["is_archived", "the channel is archived"],
  ["missing_scope", "the bot needs the scope chat:write"],
  ["msg_blocks_too_long", "the message is too long"],
  ["msg_too_long", "the message is too long"],
  ["no_permission", "the bot may not post there"],
  ["not_allowed_token_type", "this must be a bot's token, which begins with xoxb-"],
  ["not_authed", "there is no token"],
  ["not_in_channel", "invite the bot to the channel"],
  ["restricted_action", "an administrator does not let the bot post there"],
  ["team_access_not_granted", "the token is not for this workspace"],
  ["token_expired", "the token has expired"],
  ["token_revoked", "the token was revoked"],
]);

/** Slack's `channel_not_found` as a reason: `ChannelNotFound`. */
function camelCase(error: string): string {
  return error.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function classifySlackError(error: string, answer: Answer, now: number): SendResult {
  if (LIMITED.has(error)) {
    const limited = classifyAnswer({ ...answer, status: 429 }, now);
    const delayMs = limited.kind === "later" ? limited.delayMs : LIMITED_MS;
    return { kind: "later", delayMs, reason: "Throttled" };
  }
  const hint = PERMANENT.get(error);
  if (hint !== undefined) {
    const message = `Slack answered ${error}: ${hint}`;
    return { kind: "refused", reason: camelCase(error), message };
  }
  const code = /^[a-z_]{1,60}$/.test(error) ? error : "an error without a name";
  if (TRANSIENT.has(error)) {
    return { kind: "failed", reason: "SlackTrouble", message: `Slack answered ${code}` };
  }
  return { kind: "refused", reason: "SlackError", message: `Slack answered ${code}` };
}

/** Classifies a response of the Web API. `now` in milliseconds since the epoch. */
export function classifySlackApiAnswer(answer: Answer, now: number): SlackResult {
  const sendResult = classifyAnswer(answer, now);
  if (sendResult.kind !== "sent") return { ok: false, error: undefined, sendResult };
  const body = Body.safeParse(safeJson(answer.body));
  if (!body.success) {
    const message = "Slack answered 2xx, but not in the format of its API";
    return {
      ok: false,
      error: undefined,
      sendResult: { kind: "failed", reason: "NotOk", message },
    };
  }
  if (body.data.ok) return { ok: true, channel: body.data.channel, ts: body.data.ts };
  const { error } = body.data;
  return { ok: false, error, sendResult: classifySlackError(error, answer, now) };
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export type SlackApi = (
  method: "chat.postMessage" | "chat.update",
  body: object,
  signal: AbortSignal,
) => Promise<SlackResult>;

export type SlackApiOptions = {
  fetch: GuardedFetch;
  /** Base URL of the methods, e.g. `https://slack.com/api/`. */
  base: URL;
  token: () => Promise<string>;
  /** Waits until the channel accepts another message. */
  pace: (signal: AbortSignal) => Promise<void>;
};

/** Calls Slack's Web API, paced per channel. Throws what {@link GuardedFetch} throws. */
export function createSlackApi({ fetch, base, token, pace }: SlackApiOptions): SlackApi {
  return async (method, body, signal) => {
    const secret = await token();
    const authorization = `Bearer ${secret}`;
    await pace(signal);
    const answer = await fetch.post(
      {
        url: new URL(method, base),
        headers: { "content-type": JSON_TYPE, "user-agent": "rollcast-notifier", authorization },
        body: JSON.stringify(body),
      },
      signal,
    );
    return classifySlackApiAnswer(redactSecrets(answer, [secret]), Date.now());
  };
}

/**
 * A channel accepts about one message per second:
 * https://docs.slack.dev/apis/web-api/rate-limits
 */
const CHANNEL_GAP_MS = 1_000;

/** Allows each key once every {@link CHANNEL_GAP_MS}, in the order of the calls. */
export function createPacer(): ReceiverDeps["pace"] {
  const free = new Map<string, number>();
  return async (key, signal) => {
    const now = Date.now();
    const at = Math.max(free.get(key) ?? 0, now);
    free.set(key, at + CHANNEL_GAP_MS);
    if (at > now) await sleep(at - now, undefined, { signal });
  };
}
