import type { Message } from "../message/message.ts";
import { cut, utf8Size, withoutMarkup } from "../message/text.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { Rendered } from "./http-receiver.ts";

/**
 * Maximum size of a text message in bytes.
 * https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages
 */
const TEXT_LIMIT = 4_096;

/**
 * `text` that mentions nobody and hides no link: `<users/all>` and `<https://…|text>` begin with
 * `<`, which cannot be escaped.
 */
export function plainChatText(text: string): string {
  return text.toWellFormed().replaceAll("<", "<\u200B");
}

/** `text` as Google Chat shows it literally. */
function literalChatText(text: string): string {
  return plainChatText(withoutMarkup(text));
}

/**
 * Renders a message for an incoming webhook of Google Chat. What does not fit is cut from the
 * facts; the commands stay.
 */
export function renderGoogleChat(message: Message): Rendered {
  const lines = message.custom
    ? [plainChatText(message.text)]
    : message.facts.map(
        ({ name, value }) => `*${literalChatText(name)}:* ${literalChatText(value)}`,
      );
  const commands = message.next.map(plainChatText).join("\n");
  const next = commands === "" ? "" : `\n\`\`\`${commands}\`\`\``;
  const content = [`*${literalChatText(message.title)}*`, ...lines].join("\n");
  // The cut may have removed the character that neutralizes a `<`.
  const text = cut(content, TEXT_LIMIT - Buffer.byteLength(next), utf8Size).replace(/<…$/, "…");
  return { contentType: JSON_TYPE, body: JSON.stringify({ text: `${text}${next}` }) };
}
