import type { Message } from "../message/message.ts";
import { cut, utf8Size } from "../message/text.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { Rendered } from "./http-receiver.ts";

/** Bytes of a text message. https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages */
const TEXT_LIMIT = 4_096;

/** `text` that calls nobody and hides no link: `<users/all>` and `<https://…|text>` begin with `<`, which has no escape. */
export function plainChatText(text: string): string {
  return text.toWellFormed().replaceAll("<", "<\u200B");
}

/** A message as an incoming webhook of Google Chat takes it. What does not fit is cut from the end, where the commands are not. */
export function renderGoogleChat(message: Message): Rendered {
  const lines = message.custom
    ? [plainChatText(message.text)]
    : message.facts.map(({ name, value }) => `*${plainChatText(name)}:* ${plainChatText(value)}`);
  const commands = message.next.map(plainChatText).join("\n");
  const next = commands === "" ? "" : `\n\`\`\`${commands}\`\`\``;
  const content = [`*${plainChatText(message.title)}*`, ...lines].join("\n");
  // The end may have taken away what makes a `<` harmless.
  const text = cut(content, TEXT_LIMIT - Buffer.byteLength(next), utf8Size).replace(/<…$/, "…");
  return { contentType: JSON_TYPE, body: JSON.stringify({ text: `${text}${next}` }) };
}
