import type { KnownBlock, MrkdwnElement } from "@slack/types";
import type { Message, Severity } from "../message/message.ts";
import { cut, withoutMarkup } from "../message/text.ts";

// Limits: https://docs.slack.dev/reference/block-kit/blocks
const HEADER_LIMIT = 150;
const FIELD_LIMIT = 2_000;
const FIELDS = 10;
const TEXT_LIMIT = 3_000;

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const ICON: Readonly<Record<Severity, string>> = { info: "ℹ️", warning: "⚠️", error: "🔴" };
const ICON_OF_OUTCOME: Readonly<Record<string, string>> = { succeeded: "✅", started: "🔄" };

function entity(char: string): string {
  return ENTITIES[char] ?? char;
}

/**
 * `text` as Slack shows it literally, at most `limit` characters after escaping: `<!channel>` and
 * `<@U1>` mention nobody. https://docs.slack.dev/messaging/formatting-message-text#escaping
 */
export function escapeSlack(text: string, limit: number): string {
  return cut(text, limit, (char) => entity(char).length).replaceAll(/[&<>]/g, entity);
}

/** Text in which Slack creates no links, channels or mentions. */
function mrkdwn(text: string): MrkdwnElement {
  return { type: "mrkdwn", text, verbatim: true };
}

/** The visible part of a call: Block Kit, and a text for notifications and old clients. */
export type SlackContent = {
  readonly text: string;
  readonly blocks: readonly KnownBlock[];
};

function body(message: Message): KnownBlock[] {
  if (message.custom) {
    const text = escapeSlack(message.text, TEXT_LIMIT);
    return text === "" ? [] : [{ type: "section", text: mrkdwn(text) }];
  }
  const fields = message.facts.slice(0, FIELDS).map(({ name, value }) => {
    const label = `*${escapeSlack(withoutMarkup(name), 100)}*\n`;
    return mrkdwn(`${label}${escapeSlack(withoutMarkup(value), FIELD_LIMIT - label.length)}`);
  });
  return fields.length === 0 ? [] : [{ type: "section", fields }];
}

/** Renders a message in Block Kit, within its limits. */
export function slackContent(message: Message): SlackContent {
  const icon = ICON_OF_OUTCOME[message.outcome] ?? ICON[message.severity];
  const title = `${icon} ${message.title}`;
  const commands = message.next.map((command) => escapeSlack(command, 700)).join("\n");
  return {
    text: escapeSlack(withoutMarkup(title), TEXT_LIMIT),
    blocks: [
      {
        type: "header",
        text: { type: "plain_text", text: cut(title, HEADER_LIMIT), emoji: false },
      },
      ...body(message),
      ...(commands === ""
        ? []
        : [{ type: "section" as const, text: mrkdwn(`*Next*\n\`\`\`${commands}\`\`\``) }]),
    ],
  };
}
