import type { Message, Severity } from "../message.ts";
import { cut } from "../text.ts";
import { judgeAnswer } from "../verdict.ts";
import type { Answer, Verdict } from "../verdict.ts";
import { JSON_TYPE } from "./http.ts";
import type { Rendered } from "./http.ts";

// Limits: https://docs.slack.dev/reference/block-kit/blocks
const HEADER_LIMIT = 150;
const FIELD_LIMIT = 2_000;
const FIELDS = 10;
const TEXT_LIMIT = 3_000;

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const SIGN: Readonly<Record<Severity, string>> = { info: "✅", warning: "⚠️", error: "🔴" };

function entity(char: string): string {
  return ENTITIES[char] ?? char;
}

/**
 * `text` as Slack shows it literally, in at most `limit` characters once escaped: `<!channel>` and `<@U1>` call nobody.
 * https://docs.slack.dev/messaging/formatting-message-text#escaping
 */
export function escapeSlack(text: string, limit: number): string {
  return cut(text, limit, (char) => entity(char).length).replaceAll(/[&<>]/g, entity);
}

/** A message as Slack's incoming webhooks take it: Block Kit, with a text for notifications and old clients. */
export function renderSlack(message: Message): Rendered {
  const title = `${SIGN[message.severity]} ${message.title}`;
  const fields = message.facts.slice(0, FIELDS).map(({ name, value }) => {
    const label = `*${escapeSlack(name, 100)}*\n`;
    return { type: "mrkdwn", text: `${label}${escapeSlack(value, FIELD_LIMIT - label.length)}` };
  });
  const header = { type: "plain_text", text: cut(title, HEADER_LIMIT), emoji: false };
  const body = JSON.stringify({
    text: escapeSlack(title, TEXT_LIMIT),
    blocks: [
      { type: "header", text: header },
      ...(fields.length === 0 ? [] : [{ type: "section", fields }]),
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
  return { contentType: JSON_TYPE, body };
}

/** Slack says `ok` where it took a message; a proxy's page with status 200 does not. */
export function judgeSlack(answer: Answer, now: number): Verdict {
  const verdict = judgeAnswer(answer, now);
  if (verdict.kind !== "sent" || answer.body.trim() === "ok") return verdict;
  return { kind: "failed", reason: "not-ok", message: "Slack answered 2xx without ok" };
}
